"""Provenance: of every resource, from which documents and by whom (US Core: provenance).

Resources of one voice, the same documents and the same authors, share one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from ccda.fhir.actors import author_reference
from ccda.fhir.datatypes import of_system, stated
from ccda.fhir.notes import source_key
from ccda.fhir.resources import Resources, Voice
from ccda.fhir.systems import PROVENANCE_AGENT, US_CORE_AGENT
from ccda.fhir.times import Json, absent, instant
from ccda.model import Author

_AUTHOR: Final = of_system(PROVENANCE_AGENT, "author")
_TRANSMITTER: Final = of_system(US_CORE_AGENT, "transmitter")


def add_provenance(
    resources: Resources,
    *,
    recorded: str | None,
    authors: Mapping[str, Sequence[Author]],
    transmitters: Mapping[str, Json],
) -> None:
    """`authors` and `transmitters` are those of each document; a statement's own come first."""

    def told_by(voice: Voice) -> tuple[Author, ...]:
        documents, own = voice
        return own or tuple(author for one in documents for author in authors.get(one, ()))

    # The authors first: they become resources themselves, which come from somewhere too.
    agents_of = {
        voice: [
            agent for author in told_by(voice) for agent in _author(author, voice[0], resources)
        ]
        for voice in dict.fromkeys(resources.voices.values())
    }
    voices: dict[Voice, list[Json]] = {}
    for url, voice in resources.voices.items():
        voices.setdefault(voice, []).append({"reference": url})
    for number, ((documents, own), targets) in enumerate(voices.items()):
        told = told_by((documents, own))
        agents = list(agents_of.get((documents, own)) or ())
        if (documents, own) not in agents_of:
            agents = [agent for author in told for agent in _author(author, documents, resources)]
        agents += [
            {"type": _TRANSMITTER, "who": who}
            for one in documents
            if (who := transmitters.get(one)) is not None
        ]
        moments = (None if author.time is None else instant(author.time.iso) for author in told)
        when = next((moment for moment in moments if moment), None) or recorded
        body = {
            "target": targets,
            **({"recorded": when} if when else {"_recorded": absent()}),
            "agent": _once(agents) or [{"type": _AUTHOR, "who": absent()}],
            "entity": [
                {
                    "role": "source",
                    "what": resources.reference("DocumentReference", source_key(one)),
                }
                for one in documents
            ],
        }
        key = f"{resources.scope} {number} {' '.join(documents)}"
        resources.add("Provenance", key, body, documents)


def _author(author: Author, documents: Sequence[str], resources: Resources) -> list[Json]:
    who, house = author_reference(author, documents, resources)
    if who is None:
        return []
    behalf = house if house != who else None
    return [stated(type=_AUTHOR, who=who, onBehalfOf=behalf)]


def _once(agents: Sequence[Json]) -> list[Json]:
    return [agent for at, agent in enumerate(agents) if agent not in agents[:at]]
