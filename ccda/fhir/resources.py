"""The resources of one bundle in the making: each once, and under which id others name it.

An id is a uuid5 over what a resource is of: the document, the place of the statement in it and
the type. The same document gives the same ids again, so that reading it twice adds nothing.
"""

from collections.abc import Iterable
from hashlib import sha1
from typing import Final
from uuid import UUID

from ccda.fhir.datatypes import stated, text_identifiers
from ccda.fhir.statement import Position, Statement
from ccda.fhir.times import Json
from ccda.model import Author

_NAMESPACE: Final = UUID("6e5c7c4e-9d0b-5f0e-8a53-0c5d6b9f2a11").bytes

Voice = tuple[tuple[str, ...], tuple[Author, ...]]
"""The documents that say something, and its authors where they are not the documents' own."""


def resource_id(type_name: str, key: str) -> str:
    """A uuid5 (RFC 9562: 5.5), spelt out: half a resource's time would go into uuid's objects."""
    digest = bytearray(
        sha1(_NAMESPACE + f"{type_name} {key}".encode(), usedforsecurity=False).digest()
    )
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


class Resources:
    """What was made so far, in order; `links` says what became of each statement."""

    def __init__(self, scope: str, spoken: str | None) -> None:
        self.scope = scope
        """What the names of persons and places are unique in: a document, a member's summary."""
        self.spoken = spoken
        """The moment of which the source speaks; there is no other clock here."""
        self.patient: Json = self.reference("Patient", scope)
        self.made: dict[str, Json] = {}
        self.links: dict[Position, list[str]] = {}
        self.known: dict[tuple[str, str], Json] = {}
        """References of persons and places, by each of their ids and by name."""
        self.actors: dict[tuple[tuple[str, ...], str], Json | None] = {}
        """References of those who took part, by the documents and all that is told of them."""
        self.recorders: dict[Voice, Json | None] = {}
        """References of those who recorded a statement, by who said it."""
        self.problems: dict[str, Json] = {}
        """The condition that each problem becomes, by each id of its statement."""
        self.voices: dict[str, Voice] = {}

    def reference(self, type_name: str, key: str) -> Json:
        return {"reference": f"urn:uuid:{resource_id(type_name, key)}"}

    def reference_to(self, statement: Statement, type_name: str) -> Json:
        return self.reference(type_name, statement.key)

    def add(
        self,
        type_name: str,
        key: str,
        body: Json,
        documents: Iterable[str],
        authors: tuple[Author, ...] = (),
    ) -> Json:
        """Take in a resource; the reference to it."""
        identity = resource_id(type_name, key)
        url = f"urn:uuid:{identity}"
        self.made[url] = {"resourceType": type_name, "id": identity, **body}
        self.voices[url] = (tuple(documents), authors)
        return {"reference": url}

    def state(self, statement: Statement, type_name: str, body: Json, suffix: str = "") -> Json:
        """Take in the resource that a statement becomes, with the statement's own ids."""
        ids = text_identifiers([text for one in statement.entry.ids if (text := str(one))])
        whole = {"identifier": ids, **body} if ids else body
        key = statement.key + suffix
        made = self.add(type_name, key, whole, statement.documents, statement.entry.authors)
        self.link(statement, made)
        return made

    def link(self, statement: Statement, reference: Json) -> None:
        """Say that a statement is told by a resource."""
        links = self.links.setdefault(statement.position, [])
        if reference["reference"] not in links:
            links.append(reference["reference"])

    def also_said_in(self, reference: Json, documents: Iterable[str]) -> None:
        """A resource that another document speaks of too."""
        known, authors = self.voices[reference["reference"]]
        self.voices[reference["reference"]] = (tuple(dict.fromkeys((*known, *documents))), authors)

    def encounter_of(self, statement: Statement) -> Json | None:
        """The encounter a statement is told in, by the statements around it."""
        around = statement.parent
        while around is not None:
            is_told = not around.entry.no_information and around.about_other is None
            if around.entry.kind == "encounter" and is_told:
                return self.reference_to(around, "Encounter")
            around = around.parent
        return None

    def about(self, statement: Statement, patient: str = "subject", **parts: object) -> Json:
        """What most resources begin with: the patient and the encounter."""
        return stated(**{patient: self.patient}, encounter=self.encounter_of(statement), **parts)
