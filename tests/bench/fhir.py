"""The corpus made into FHIR: the parse, the conversion of what was read, and its JSON."""

import gc
import statistics
import time
from collections import Counter

from ccda.document import parse_document
from ccda.fhir import document_bundle, fhir_json
from tests.bench.corpus import Corpus
from tests.bench.figures import Figure, Report, median_ratio


def measure(corpus: Corpus, rounds: int) -> Report:
    """Both in turns at every single document; the second is given what the first has read."""
    read, converted = [], []
    for _ in range(rounds):
        first, second = _round(corpus)
        read.append(first)
        converted.append(second)
    ratio = median_ratio(converted, read)
    rows = (
        _row(corpus, "ccda.parse_document", read, 1.0),
        _row(corpus, "FHIR of it, as JSON", converted, ratio),
    )
    notes = (
        corpus.text,
        _resources(corpus),
        "ratio: how much longer it takes than the parse",
    )
    return Report("fhir", "FHIR of a document against its parse", rows, notes)


def _round(corpus: Corpus) -> tuple[float, float]:
    gc.collect()
    reading = converting = 0.0
    for number, content in enumerate(corpus.documents):
        started = time.perf_counter()
        document = parse_document(content)
        read = time.perf_counter()
        fhir_json(document_bundle(document, document_id=str(number), partner="partner"))
        reading += read - started
        converting += time.perf_counter() - read
    return reading, converting


def _row(corpus: Corpus, what: str, seconds: list[float], ratio: float) -> dict[str, Figure]:
    median = statistics.median(seconds)
    return {
        "what": what,
        "documents/s": len(corpus.documents) / median,
        "ms/document": median * 1000 / len(corpus.documents),
        "ratio": ratio,
    }


def _resources(corpus: Corpus) -> str:
    """How many resources of each type the corpus becomes."""
    made: Counter[str] = Counter()
    for number, content in enumerate(corpus.documents):
        bundle = document_bundle(parse_document(content), document_id=str(number))
        made.update(entry["resource"]["resourceType"] for entry in bundle["entry"])
    counted = ", ".join(f"{count:,} {name}" for name, count in made.most_common())
    return f"{made.total():,} resources: {counted}"
