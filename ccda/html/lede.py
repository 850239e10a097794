"""The sentence under a document's title: about whom, when and by whom, before all the facts."""

from ccda.hl7v3 import PN
from ccda.html.markup import NOTHING, Html, tag, text
from ccda.html.words import moment, name_words
from ccda.model import ClinicalDocument


def write_lede(document: ClinicalDocument) -> Html:
    """Only what the document says; nothing where it says none of it."""
    said = [part for part in (_about(document), _written(document)) if part]
    return tag("p", text(" · ".join(said)), class_="lede", dir="auto") if said else NOTHING


def _about(document: ClinicalDocument) -> str | None:
    patient = document.patient
    name = _first(patient.names)
    if name is None:
        return None
    born = patient.birth_time and patient.birth_time.iso
    return f"About {name}, born {born[:10]}" if born else f"About {name}"


def _first(names: tuple[PN, ...]) -> str | None:
    return next((words for name in names if (words := name_words(name))), None)


def _written(document: ClinicalDocument) -> str | None:
    """By the first author that is a person; a program only where there is no other."""
    authors = sorted(document.authors, key=lambda author: author.name is None)
    author = authors[0] if authors else None
    who = author and (author.name or author.device)
    where = author and author.organization
    by = ", ".join(part for part in (who, where) if part)
    time = document.effective_time
    when = moment(time.iso) if time is not None else ""
    words = [f"on {when}" if when[:4].isdigit() else None, f"by {by}" if by else None]
    given = " ".join(word for word in words if word)
    return f"Written {given}" if given else None
