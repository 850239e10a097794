"""The cases by number: the same number gives the same bytes, over the same documents."""

import random
from collections.abc import Sequence

from tests.fuzz.mutations import mutate


def case(number: int, documents: Sequence[bytes]) -> bytes:
    chance = random.Random(number)
    return mutate(chance.choice(documents), chance, documents)
