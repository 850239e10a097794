"""An ADT notice as a page for people: what was read of it, and its segments as they came."""

from typing import Final

from ccda.hl7v3 import TS
from ccda.html.entries import facts, write_entries
from ccda.html.heading import title_of
from ccda.html.lede import write_lede
from ccda.html.markup import NOTHING, Html, join, tag, text
from ccda.html.shell import write_page
from ccda.html.words import time_words
from direct.encoded_words import printable
from gateway.exchange.adt import AdtNotice, read_adt
from gateway.exchange.adt_document import document_of

_MOST_LINES: Final = 2000


class NoNotice(Exception):
    """The bytes are no ADT notice that we can read."""


def render_adt(content: bytes) -> str:
    """The page, to be served with `ccda.html.CONTENT_SECURITY_POLICY`.

    Raises:
        NoNotice
    """
    notice = read_adt(content)
    if notice is None:
        raise NoNotice
    document = document_of(notice)
    title = title_of(document)
    entries = tuple(entry for section in document.sections for entry in section.entries)
    return write_page(
        title,
        header=join(tag("h1", text(title)), write_lede(document), _card(notice)),
        contents=NOTHING,
        main=join(
            tag("section", tag("h2", text("Visit")), write_entries(entries, "Visit"))
            if entries
            else NOTHING,
            _segments(content),
        ),
        footer=NOTHING,
    )


def _card(notice: AdtNotice) -> Html:
    patient = notice.patient
    place = (patient.address, patient.city, patient.state, patient.postal_code)
    listed = facts(
        [
            ("Gender", patient.gender),
            ("Address", ", ".join(filter(None, place)) or None),
            ("Telephone", patient.phone),
            (
                "Policy numbers",
                ", ".join(dict.fromkeys(one.value for one in notice.policies)) or None,
            ),
            ("Sent", time_words(TS(notice.sent)) if notice.sent else None),
            ("Sent by", notice.sending_facility),
        ],
        "facts",
    )
    return tag("section", tag("h2", text("Patient and sender")), listed, class_="card")


def _segments(content: bytes) -> Html:
    """As it was written, a segment a line, with nothing in it that is not shown."""
    written = content.decode("utf-8", "replace").splitlines()[:_MOST_LINES]
    lines = "\n".join(filter(None, map(printable, written)))
    return tag("section", tag("h2", text("The notice as it came")), tag("pre", text(lines)))
