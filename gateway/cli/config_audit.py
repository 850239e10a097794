"""What `gateway config check` says of `[audit]`."""

from collections.abc import Iterator
from pathlib import Path

from gateway.settings import Settings
from gateway.settings_audit import PublishedTo

_PLACES = 2


def audit_in_words(settings: Settings) -> Iterator[str]:
    """Who is told of the log, and where its checkpoints go, a sentence each."""
    for one in settings.audit.repositories:
        how = "over mutual TLS" if one.is_tls else "over UDP"
        since = "the whole log" if one.whole_log else "what comes once it is configured"
        yield f"audit           {one.name} at {one.address}, {how}: {since}"
    for place in settings.audit.publish:
        yield f"checkpoints     go to {_where(place)}"


def _where(place: PublishedTo) -> str:
    if place.mail is not None and place.smarthost is not None:
        often = f"once in {place.every_hours:g} hours"
        return f"{place.mail} by mail, through {place.smarthost.server}, {often}"
    return str(place.folder or f"the audit repository {place.repository}")


def audit_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Every file that `[audit]` names, with its key."""
    for number, one in enumerate(settings.audit.repositories):
        key = f"audit.repositories.{number}"
        for name, files in (("anchors", one.anchors), ("certificates", one.certificates)):
            yield from ((f"{key}.{name}", file) for file in files)
        for name, file in (("certificate", one.certificate), ("key", one.key)):
            if file is not None:
                yield f"{key}.{name}", file
    for number, place in enumerate(settings.audit.publish):
        for name in ("certificates", "password_file"):
            file = getattr(place.smarthost, name, None)
            if file is not None:
                yield f"audit.publish.{number}.smarthost.{name}", file


def lax_audit(settings: Settings) -> Iterator[str]:
    """What is laxer than it need be."""
    if len(settings.audit.publish) < _PLACES:
        yield (
            "checkpoints of the log go to fewer than two places outside: whoever holds the"
            " database and that place could rewrite the log unseen; see [[audit.publish]]"
        )
    for one in settings.audit.repositories:
        if not one.is_tls:
            yield (
                f"the audit repository {one.name} is told over UDP: anyone on the way can read it,"
                " and nobody notices what is lost"
            )
        elif one.certificate is None and settings.tls is None:
            yield f"the audit repository {one.name} cannot be reached without a [tls] certificate"
