"""How two values of one attribute agree, in the words of `matching.RULES`; None: not comparable.

Every function gives the same answer with its arguments exchanged.
"""

from collections.abc import Callable, Iterable
from itertools import product, starmap
from typing import Final

from gateway.exchange.nicknames import are_forms_of_one_name
from gateway.model.addresses import KINDS_OF_STREET, Address, has_digit
from gateway.model.person import PARTICLES, BirthDate, Name

Named = tuple[str, str | None]


def name_agreements(
    ours: tuple[Name, ...],
    theirs: tuple[Name, ...],
    *,
    worth: Callable[[str, str], int],
    may_marry: bool = False,
) -> list[Named]:
    """Family, given, middle and suffix of the pair of names that agrees best.

    `may_marry` tells a family name that was changed from one that differs.

    Suffixes are compared over all names: a maiden name that lacks one hides no conflict.
    """
    pairs = [_pair(mine, other) for mine, other in product(ours, theirs)]
    if not pairs:
        return [("family", "absent"), ("given", "absent")]
    best = pairs[0]
    if len(pairs) > 1:
        best = max(
            pairs, key=lambda pair: (sum(starmap(worth, pair.items())), sorted(pair.items()))
        )
    if best["family"] == "exact" and not _is_by_first_names(ours, theirs):
        best["family"] = "other name"
    if may_marry and (best["family"], best["given"]) == ("different", "exact"):
        best["family"] = "changed"
    suffix = _suffix({n.suffix for n in ours if n.suffix}, {n.suffix for n in theirs if n.suffix})
    return [*best.items(), ("suffix", suffix)]


def _pair(ours: Name, theirs: Name) -> dict[str, str]:
    family, given = _family(ours.family, theirs.family), _given(ours, theirs)
    if "different" in (family, given) and _is_swapped(ours, theirs):
        return {"family": "swapped", "given": "swapped"}
    found = {"family": family, "given": given}
    middle = _middle(ours, theirs)
    if middle is not None and given != "middle":
        found["middle"] = middle
    return found


def _is_by_first_names(ours: tuple[Name, ...], theirs: tuple[Name, ...]) -> bool:
    """Whether the names listed first, the present ones, carry the same family name."""
    return "".join(ours[0].family) == "".join(theirs[0].family)


def _family(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    if not ours or not theirs:
        return "absent"
    mine, other = "".join(ours), "".join(theirs)
    if mine == other:
        return "exact"
    own, their = set(ours) - PARTICLES, set(theirs) - PARTICLES
    if own & their and len(own) + len(their) > 2 and (own <= their or their <= own):
        return "compound"
    if own and own == their:
        return "exact"
    return "typo" if is_slip(mine, other) else "different"


def _given(ours: Name, theirs: Name) -> str:
    mine, other = ours.given, theirs.given
    if not mine or not other:
        return "absent"
    if mine == other or ours.given_joined == theirs.given_joined:
        return "exact"
    if mine in (theirs.given_joined,) or other in (ours.given_joined,):
        return "exact"
    if len(mine) == 1 or len(other) == 1:
        return "initial" if mine[0] == other[0] else _as_middle(ours, theirs)
    if _spelling(mine) == _spelling(other):
        return "spelling"
    if are_forms_of_one_name(mine, other):
        return "nickname"
    if _as_middle(ours, theirs) == "middle":
        return "middle"
    # Ann and Anna may be one person or two sisters: a reviewer's question, so three letters do.
    return "typo" if is_slip(mine, other, shortest=3) else "different"


def _as_middle(ours: Name, theirs: Name) -> str:
    """People who go by their middle name."""
    by_middle = ours.given in theirs.middle or theirs.given in ours.middle
    return "middle" if by_middle else "different"


def _spelling(name: str) -> str:
    """Without doubled letters and the h of Sarah: no parents name two children Philip and Phillip.

    Only after an a: Joseh is nearer to Joseph than to Jose, who may be his brother.
    """
    folded = name.replace("ph", "f").replace("ck", "k")
    folded = folded[:-1] if folded.endswith("ah") else folded
    return "".join(c for i, c in enumerate(folded) if i == 0 or c != folded[i - 1])


def _middle(ours: Name, theirs: Name) -> str | None:
    if not ours.middle or not theirs.middle:
        return None
    mine, other = "".join(ours.middle), "".join(theirs.middle)
    if len(mine) == 1 or len(other) == 1:
        return "initial" if mine[0] == other[0] else "different"
    if mine == other or set(ours.middle) & set(theirs.middle):
        return "exact"
    if _spelling(mine) == _spelling(other) or are_forms_of_one_name(mine, other):
        return "initial"
    return "initial" if is_slip(mine, other) else "different"


def _is_swapped(ours: Name, theirs: Name) -> bool:
    mine, other = "".join(ours.family), "".join(theirs.family)
    exchanged = other in (ours.given, ours.given_joined) and mine in (
        theirs.given,
        theirs.given_joined,
    )
    return bool(mine and other) and exchanged


def _suffix(ours: set[int], theirs: set[int]) -> str | None:
    if not ours or not theirs:
        return None
    return "exact" if ours == theirs else "different"


GENERATION_YEARS: Final = 10
"""A year of birth that is this far off is no slip: parents and children share names."""


def birth_agreement(ours: BirthDate | None, theirs: BirthDate | None) -> str:
    if ours is None or theirs is None:
        return "absent"
    if abs(ours.year - theirs.year) >= GENERATION_YEARS:
        return "generation"
    if ours.month is None or theirs.month is None:
        return "same year" if ours.year == theirs.year else "different"
    if ours.day is None or theirs.day is None:
        same = (ours.year, ours.month) == (theirs.year, theirs.month)
        return "same month" if same else "different"
    if ours == theirs:
        return "conventional" if (ours.month, ours.day) == (1, 1) else "exact"
    if (ours.year, ours.month, ours.day) == (theirs.year, theirs.day, theirs.month):
        return "swapped"
    if ours.year == theirs.year and (1, 1) in ((b.month, b.day) for b in (ours, theirs)):
        return "first of January"
    return "typo" if is_slip(_digits(ours), _digits(theirs)) else "different"


def _digits(birth: BirthDate) -> str:
    return f"{birth.year:04}{birth.month or 0:02}{birth.day or 0:02}"


def gender_agreement(ours: str | None, theirs: str | None) -> str | None:
    if ours is None or theirs is None:
        return None
    return "exact" if ours == theirs else "different"


_ADDRESS_ORDER: Final = ("exact", "typo", "different")


def address_agreement(ours: tuple[Address, ...], theirs: tuple[Address, ...]) -> list[Named]:
    """Street and ZIP code of the addresses that agree best: old ones count as well."""
    streets = [_street(a, b) for a, b in product(ours, theirs)]
    street = min((s for s in streets if s), key=_ADDRESS_ORDER.index, default=None)
    own, their = {a.zip5 for a in ours if a.zip5}, {a.zip5 for a in theirs if a.zip5}
    zip5 = ("exact" if own & their else "different") if own and their else None
    return [("address", street), ("zip", zip5)]


def _street(ours: Address, theirs: Address) -> str | None:
    if not ours.street or not theirs.street or not _is_same_place(ours, theirs):
        return None if not (ours.street and theirs.street) else "different"
    if ours.street == theirs.street or _core(ours.street) == _core(theirs.street):
        return "exact"
    # Numbers tell neighbours apart, also those of boxes and county roads: only words may slip.
    same_number = ours.street[0] == theirs.street[0] and _numbers(ours) == _numbers(theirs)
    mine, other = " ".join(ours.street[1:]), " ".join(theirs.street[1:])
    return "typo" if same_number and is_slip(mine, other) else "different"


def _numbers(address: Address) -> tuple[str, ...]:
    return tuple(word for word in address.street if has_digit(word))


def _is_same_place(ours: Address, theirs: Address) -> bool:
    if ours.zip5 and theirs.zip5:
        return ours.zip5 == theirs.zip5
    return (
        ours.city is not None
        and ours.city == theirs.city
        and (not ours.state or not theirs.state or ours.state == theirs.state)
    )


def _core(street: tuple[str, ...]) -> tuple[str, ...]:
    """Number and name: 12 Elm and 12 Elm St are one door in one ZIP code."""
    core = tuple(word for word in street if word not in KINDS_OF_STREET)
    return core if len(core) > 1 else street


def phone_agreement(ours: frozenset[str], theirs: frozenset[str]) -> str | None:
    if not ours or not theirs:
        return None
    return "exact" if ours & theirs else "different"


def email_agreement(ours: frozenset[str], theirs: frozenset[str]) -> str | None:
    return "exact" if ours & theirs else None


def ssn_agreement(ours: str | None, theirs: str | None) -> str | None:
    if not ours or not theirs:
        return None
    if len(ours) == len(theirs) == 9:
        if ours == theirs:
            return "exact"
        if abs(int(ours) - int(theirs)) == 1:
            return "next"
        return "typo" if is_slip(ours, theirs) else "different"
    return "last four" if ours[-4:] == theirs[-4:] else "different"


def id_agreement(ours: Iterable[tuple[str, str]], theirs: Iterable[tuple[str, str]]) -> str | None:
    """Only ids of one issuer can be compared; of those, one that agrees is enough."""
    own, their = set(ours), set(theirs)
    if own & their:
        return "exact"
    shared = {root for root, _ in own} & {root for root, _ in their}
    return "different" if shared else None


def maiden_agreement(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str | None:
    if not ours or not theirs:
        return None
    return "exact" if ours == theirs else "different"


def is_slip(one: str, other: str, *, shortest: int = 4) -> bool:
    """One letter wrong, missing, added, or two neighbours exchanged; short words allow none."""
    if min(len(one), len(other)) < shortest or abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    if len(one) != len(other):
        short, long = sorted((one, other), key=len)
        return short[start:] == long[start + 1 :]
    exchanged = one[start : start + 2] == other[start : start + 2][::-1]
    return one[start + 1 :] == other[start + 1 :] or (
        exchanged and one[start + 2 :] == other[start + 2 :]
    )
