"""What holds of every summary, over people of whom the public samples have several documents.

Where the samples are not at hand there are no cases.
"""

import random
from collections import defaultdict
from functools import cache
from hashlib import sha256
from pathlib import Path

from ccda import CcdaError, parse_document
from ccda.model import ClinicalDocument, Entry
from gateway.exchange.header_encounter import header_encounter
from gateway.exchange.nothing_known import is_denial
from gateway.exchange.statements import read_statements
from gateway.exchange.summarize import summarize
from gateway.model.document import Blob, Document, IndexedEntry, Source
from gateway.model.identity import DocumentId, MemberId, PlanId
from tests.gateway.exchange.records import NOW, Pairs, copied, reached, without_sources

CORPUS = Path(__file__).resolve().parents[4] / "shared" / "corpus"
_LARGEST = 600_000
Person = tuple[str, str]


@cache
def people() -> dict[Person, list[tuple[bytes, ClinicalDocument]]]:
    """Those with several documents, by name and day of birth."""
    found: dict[Person, list[tuple[bytes, ClinicalDocument]]] = defaultdict(list)
    for file in sorted(CORPUS.rglob("*")) if CORPUS.is_dir() else []:
        if not file.is_file() or file.stat().st_size > _LARGEST:
            continue
        try:
            document = parse_document(content := file.read_bytes())
        except CcdaError:
            continue
        patient = document.patient
        if patient.names and patient.birth_time and patient.birth_time.value:
            person = (str(patient.names[0]), patient.birth_time.value[:8])
            found[person].append((content, document))
    return {person: several for person, several in found.items() if len(several) > 1}


@cache
def record(person: Person) -> Pairs:
    """All that the person's documents say, as ingest indexes it; the same bytes once."""
    unique = {sha256(content).hexdigest(): document for content, document in people()[person]}
    return [pair for digest, document in unique.items() for pair in _indexed(digest, document)]


def _indexed(digest: str, found: ClinicalDocument) -> Pairs:
    document = Document(
        id=DocumentId(digest[:12]),
        plan=PlanId("p"),
        state="filed",
        blob=Blob(digest, 1, "", digest),
        source=Source("FILE"),
        received=NOW,
        member=MemberId("m"),
        effective_time=found.effective_time.value if found.effective_time else None,
        clinical_id=str(found.id) if found.id else None,
        custodian=found.custodian,
    )
    entries = [entry for section in found.sections for entry in section.entries]
    visit = header_encounter(found)
    entries += [visit] if visit is not None else []
    return [(document, IndexedEntry(document.id, n, None, one)) for n, one in enumerate(entries)]


def test_the_order_of_arrival_and_arriving_twice_change_nothing() -> None:
    for person in people():
        pairs = list(record(person))
        whole = summarize(pairs, as_of=NOW)
        for seed in range(3):
            random.Random(seed).shuffle(pairs)
            assert summarize(pairs, as_of=NOW) == whole, person
        assert summarize([*pairs, *pairs], as_of=NOW) == whole, person


def test_every_statement_is_a_source_of_a_line_or_a_denial() -> None:
    for person in people():
        pairs = record(person)
        said = {
            (one.document.id, one.ordinal)
            for one in read_statements(pairs, [], as_of=NOW.date())
            if not one.entry.no_information or is_denial(one)
        }
        assert reached(summarize(pairs, as_of=NOW)) == said, person


def _is_denied(entry: Entry) -> bool:
    return entry.negated or "refusal_reason" in entry.details


def test_no_line_mixes_what_is_and_what_is_not() -> None:
    for person in people():
        pairs = record(person)
        negated = {(document.id, item.ordinal): _is_denied(item.entry) for document, item in pairs}
        for section in summarize(pairs, as_of=NOW).sections:
            for line in section.lines:
                said = {negated[DocumentId(s.document), s.entry] for s in line.sources}
                assert said == {line.negated}, person


def test_a_copy_of_a_document_changes_nothing_but_sources() -> None:
    for person in people():
        pairs = record(person)
        once = without_sources(summarize(pairs, as_of=NOW))
        for document in {document.id: document for document, _ in pairs}.values():
            twice = summarize([*pairs, *copied(pairs, document)], as_of=NOW)
            assert without_sources(twice) == once, person
