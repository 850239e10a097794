"""`python -m tests.fuzz.guided [-max_total_time=600]`: libFuzzer looks for new ways through ccda.

Needs atheris (the optional extra `fuzz`). Coverage leads where chance alone would not: a mutated
document that reached a new branch is mutated again. Options are libFuzzer's own.
"""

import os
import random
import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["ccda"]):
    from tests.fuzz.claims import MOST_SECONDS, look
    from tests.fuzz.mutations import mutate
    from tests.fuzz.seeds import CORPUS, SAMPLES, load_seeds

# Small ones: libFuzzer lives on the number of runs.
_SEEDS: Final = load_seeds(CORPUS, SAMPLES, most_bytes=100_000)
_FOLDER: Final = Path(".cache/fuzz")


def read(data: bytes) -> None:
    seen = look(data)
    assert seen.seconds <= MOST_SECONDS, f"took {seen.seconds:.1f} s"


def vary(data: bytes, max_size: int, seed: int) -> bytes:
    chance = random.Random(seed)
    if chance.random() < 0.1:
        varied: bytes = atheris.Mutate(data, max_size)
        return varied
    return mutate(data, chance, _SEEDS)[:max_size]


def main() -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_SEEDS):
        (_FOLDER / f"seed-{number}.xml").write_bytes(seed)
    given = [*sys.argv, "-max_len=400000", "-timeout=60", "-rss_limit_mb=2048"]
    atheris.Setup([*given, os.fspath(_FOLDER)], read, custom_mutator=vary)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
