"""A C-CDA read whole against bare lxml over the same bytes."""

import gc
import statistics
import time
from collections.abc import Callable

from lxml import etree

from ccda.document import parse_document
from tests.bench.corpus import Corpus
from tests.bench.figures import Figure, Report, median_ratio


def measure(corpus: Corpus, rounds: int) -> Report:
    """`lxml.etree.fromstring` and `parse_document`, in turns at every single document."""
    bare, whole = [], []
    for _ in range(rounds):
        first, second = _in_turns(corpus, etree.fromstring, parse_document)
        bare.append(first)
        whole.append(second)
    rows = (
        _row(corpus, "lxml.etree.fromstring", bare, 1.0),
        _row(corpus, "ccda.parse_document", whole, median_ratio(bare, whole)),
    )
    return Report("parse", "C-CDA parse against bare lxml", rows, (corpus.text,))


def seconds_for(corpus: Corpus, read: Callable[[bytes], object]) -> float:
    """How long reading the corpus once takes, in this one process."""
    gc.collect()
    started = time.perf_counter()
    for content in corpus.documents:
        read(content)
    return time.perf_counter() - started


def _in_turns(corpus: Corpus, *readers: Callable[[bytes], object]) -> list[float]:
    """How long each takes over the corpus; a slow moment of the machine hits all alike."""
    gc.collect()
    seconds = [0.0] * len(readers)
    for content in corpus.documents:
        for index, read in enumerate(readers):
            started = time.perf_counter()
            read(content)
            seconds[index] += time.perf_counter() - started
    return seconds


def _row(corpus: Corpus, what: str, seconds: list[float], ratio: float) -> dict[str, Figure]:
    median = statistics.median(seconds)
    return {
        "what": what,
        "documents/s": len(corpus.documents) / median,
        "MB/s": corpus.size_bytes / 1e6 / median,
        "ms/document": median * 1000 / len(corpus.documents),
        "ratio": ratio,
    }
