"""What a trusted message carries that becomes documents; runs in a worker process.

Each comes with whom the message says it is about: a package's metadata, or the message's Context.
Both are the sender's word, and no better than the rest of the message.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from ccda.hl7v3 import AD, II, PN, TEL, TS
from direct.context import Context
from direct.header import Header
from direct.message import unwrap
from gateway.exchange.mail_content import ContentSearch, Found
from ihe.identifiers import PatientId
from ihe.metadata import DocumentEntry
from ihe.xcpd import Demographics

_KEPT: Final = frozenset({"cda", "hl7v2", "pdf", "image"})
"""What becomes a document of its own; text and the like stay in the message."""
_PIECE: Final = 128 * 1024
_SSN: Final = "2.16.840.1.113883.4.1"


@dataclass(frozen=True, slots=True)
class Kept:
    """A document, and whom the message names for it; None if nobody."""

    found: Found
    named: Demographics | None = None


@dataclass(frozen=True, slots=True)
class Problems:
    """What in a message could not be opened, in words."""

    told: tuple[str, ...]


class TooMany:
    """There are more documents than are asked for."""


def find_carried(content: bytes, outer: Header) -> Iterator[Kept | Problems]:
    """What a message carries that we keep, one after the other, and then the problems.

    `content` is what was signed, `outer` the header of the mail that carried it.

    Raises:
        DirectError: there is no message in it.
    """
    search = ContentSearch(unwrap(content, outer))
    by_context = None if search.context is None else named_in_context(search.context)
    for one in search.found():
        if one.kind in _KEPT:
            yield Kept(one, (one.entry and named_in_metadata(one.entry)) or by_context)
    yield Problems(tuple(search.problems))


def hand_over(
    content: bytes, outer: Header, most: int
) -> Iterator[Kept | Problems | TooMany | bytes]:
    """In a worker: as `find_carried`, each document without its bytes, which follow in pieces."""
    count = 0
    for one in find_carried(content, outer):
        if isinstance(one, Problems):
            yield one
            continue
        count += 1
        if count > most:
            yield TooMany()
            return
        yield replace(one, found=replace(one.found, content=b""))
        whole = memoryview(one.found.content)
        for start in range(0, len(whole), _PIECE):
            yield bytes(whole[start : start + _PIECE])


def named_in_context(context: Context) -> Demographics | None:
    """The patient of the message's Context (Context 1.1: 3.3, 3.6)."""
    said = {name.lower(): value for name, value in context.patient.items() if value}
    given = tuple(filter(None, (said.get("givenname"), said.get("middlename"))))
    street, code = said.get("streetaddress"), said.get("postalcode")
    ids = [II(one.authority, one.id) for one in context.patient_ids]
    if "socialsecuritynumber" in said:
        ids.append(II(_SSN, said["socialsecuritynumber"]))
    return _person(
        family=said.get("surname"),
        given=given,
        birth_date=said.get("dateofbirth"),
        gender=said.get("gender"),
        address=AD((street,) if street else (), postal_code=code) if street or code else None,
        phone=said.get("telephonenumber"),
        ids=tuple(ids),
    )


def named_in_metadata(entry: DocumentEntry) -> Demographics | None:
    """The patient of a package's entry: sourcePatientInfo and both ids (ITI TF-3: 4.2.3.2.23)."""
    pairs = (one.partition("|") for one in entry.source_patient_info)
    said: Mapping[str, list[str]] = {
        name.strip().upper(): [part.strip() for part in value.partition("~")[0].split("^")]
        for name, _, value in pairs
    }
    name = [*said.get("PID-5", ()), "", "", ""]
    place = [*said.get("PID-11", ()), "", "", "", "", ""]
    return _person(
        family=name[0],
        given=tuple(filter(None, name[1:3])),
        birth_date=next(iter(said.get("PID-7", ())), None),
        gender=next(iter(said.get("PID-8", ())), None),
        address=AD(tuple(filter(None, place[:1])), place[2] or None, place[3] or None, place[4])
        if place[0] or place[4]
        else None,
        ids=tuple(_ids(entry)),
    )


def _ids(entry: DocumentEntry) -> Iterator[II]:
    found = [] if entry.patient_id is None else [entry.patient_id]
    if entry.source_patient_id is not None:
        with suppress(ValueError):  # an id without an issuer is anybody's
            found.append(PatientId.parse(entry.source_patient_id))
    for one in dict.fromkeys(found):
        yield II(str(one.authority), one.id)


def _person(
    *,
    family: str | None,
    given: tuple[str, ...],
    birth_date: str | None,
    gender: str | None,
    address: AD | None,
    ids: tuple[II, ...],
    phone: str | None = None,
) -> Demographics | None:
    born = (birth_date or "").replace("-", "")
    if not (family or ids):
        return None
    return Demographics(
        names=(PN(family or None, given),) if family or given else (),
        birth_time=TS(born) if born.isdigit() else None,
        gender=gender or None,
        addresses=() if address is None else (address,),
        telecoms=(TEL(f"tel:{phone}"),) if phone else (),
        ids=ids,
    )
