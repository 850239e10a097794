"""Syslog messages that carry audit records (ITI TF-2: 3.20.4.1.2; RFC 5424, framed as RFC 5425)."""

import re
from datetime import datetime
from typing import Final

# RFC 5424: 6.2.1: facility 10 (security), severity 5 (notice) or 4 (warning).
_NOTICE, _WARNING = 85, 84
# ITI TF-2: 3.20.4.1.2.1: the name of the older schema stays, for receivers sort by it.
_MESSAGE_ID: Final = "IHE+RFC-3881"
_UNPRINTABLE: Final = re.compile(r"[^\x21-\x7e]")


def write_syslog(
    message: bytes,
    *,
    time: datetime,
    host: str,
    application: str,
    process_id: str,
    is_warning: bool = False,
) -> bytes:
    """The audit message under a syslog header, without structured data and without a BOM."""
    header = " ".join(
        (
            f"<{_WARNING if is_warning else _NOTICE}>1",
            time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            _field(host, 255),
            _field(application, 48),
            _field(process_id, 128),
            _MESSAGE_ID,
            "-",
        )
    )
    return header.encode("ascii") + b" " + message


def frame(message: bytes) -> bytes:
    """The message with its length in octets before it (RFC 5425: 4.3)."""
    return b"%d %b" % (len(message), message)


def _field(text: str, longest: int) -> str:
    """RFC 5424: 6: printable ASCII without blanks, or `-` for nothing."""
    return _UNPRINTABLE.sub("_", text)[:longest] or "-"
