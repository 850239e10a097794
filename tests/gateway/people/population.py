"""A plan's people, synthetic and seeded: households with twins, juniors, namesakes and gaps.

Everything that a roster gets wrong is planted here at a known rate, so that what is asked of the
matcher later (`plants`) can be judged by who was meant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Final

from ccda.hl7v3 import AD, II, PN, TEL, TS, US_SSN
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member
from ihe.xcpd import Demographics
from tests.gateway.people.names import FAMILIES, GIVEN, KINDS_OF_STREET, STREETS

SUBSCRIBERS: Final = "2.999.7302.1.9"
"""Under which a household's members share one policy number, as twins do."""
LICENCES: Final = "2.16.840.1.113883.4.3.17"
_TODAY: Final = date(2026, 1, 1)
NO_SSNS: Final = ("000000000", "999999999", "123456789", "111111111", "078051120")
NO_BIRTHS: Final = ("19000101", "19010101")
TWIN_NAMES: Final = {
    "F": (("Ann", "Anna"), ("Maria", "Marie"), ("Hannah", "Anna"), ("Emily", "Emma"),
          ("Mary Ann", "Mary Jo"), ("Carol", "Carolyn"), ("Karen", "Katherine"), ("Ana", "Ann")),
    "M": (("John", "Jon"), ("Jayden", "Jaden"), ("Aidan", "Aiden"), ("James", "Jack"),
          ("Michael", "Mitchell"), ("Daniel", "David"), ("Jose", "Joseph"), ("William", "Liam")),
}  # fmt: skip

# No parents give both to their twins: who is asked for under the other name is the same person.
ONE_NAME: Final = (
    {"Stephen", "Steven"}, {"Katherine", "Catherine"}, {"Elizabeth", "Betty"}, {"Deborah", "Debra"},
    {"Francisco", "Frank"}, {"Jeffrey", "Jeff"}, {"Alexander", "Al"}, {"Robert", "Rob"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Home:
    """Where a household lives."""

    number: int
    street: str
    kind: str
    flat: str | None
    city: str
    state: str
    zip5: str
    phone: str

    def ad(self) -> AD:
        line = f"{self.number} {self.street} {self.kind}"
        lines = (line,) if self.flat is None else (line, f"Apt {self.flat}")
        return AD(lines, self.city, self.state, self.zip5, "US")


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody truly is, whatever a roster says of it."""

    number: int
    family: str
    given: str
    middle: str | None
    suffix: str | None
    birth: date
    gender: str
    home: Home
    mobile: str
    ssn: str
    policy: str
    former: str | None = None
    old_home: Home | None = None

    @property
    def id(self) -> MemberId:
        return MemberId(f"p{self.number:08}")

    @property
    def name(self) -> PN:
        given = (self.given,) if self.middle is None else (self.given, self.middle)
        return PN(self.family, given, suffix=(self.suffix,) if self.suffix else ())

    def demographics(self) -> Demographics:
        """All of it, true."""
        return Demographics(
            names=(self.name,),
            birth_time=TS(self.birth.strftime("%Y%m%d")),
            gender=self.gender,
            addresses=(self.home.ad(),),
            telecoms=(TEL(f"tel:+1-{self.home.phone}"),),
            ids=(II(US_SSN, self.ssn),),
        )


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A person and what the roster states of it; `kin` says whose likeness was planted."""

    person: Person
    stated: Demographics
    kin: str | None = None

    def member(self, plan: PlanId) -> Member:
        number = f"M{self.person.number:08}"
        return Member(self.person.id, plan, number, self.stated)


def people(size: int, seed: int = 55) -> Iterator[Enrolled]:
    """So many members, the same for the same seed."""
    rng = Random(seed)
    number = 0
    while number < size:
        for person, kin in _household(rng, number):
            if number == size:
                return
            yield Enrolled(replace(person, number=number), _roster(rng, person), kin)
            number += 1


# ---- households ------------------------------------------------------------------------------


def _household(rng: Random, number: int) -> Iterator[tuple[Person, str | None]]:
    home, family, policy = a_home(rng), a_family(rng), f"S{number:08}"
    father = a_person(rng, family, home, policy, "M", years=(28, 88))
    draw = rng.random()
    if draw < 0.02:
        yield from ((twin, "twins") for twin in _twins(rng, family, home, policy))
    elif draw < 0.035:
        yield from ((one, "junior and senior") for one in _juniors(rng, father))
    elif draw < 0.045:
        yield from ((one, "namesakes") for one in _namesakes(rng, father))
    elif draw < 0.45:
        yield father, None
        yield a_person(rng, family, home, policy, "F", years=(26, 86), married=True), None
        for _ in range(rng.choice((0, 1, 2))):
            yield a_person(rng, family, home, policy, rng.choice("MF"), years=(0, 24)), None
    else:
        yield a_person(rng, family, home, policy, rng.choice("MF"), years=(19, 95)), None


def _twins(rng: Random, family: str, home: Home, policy: str) -> Iterator[Person]:
    """One birth date, house, telephone and policy; SSNs that were issued one after the other."""
    first = a_person(rng, family, home, policy, rng.choice("MF"), years=(0, 60))
    gender = first.gender if rng.random() < 0.7 else rng.choice("MF")
    names = (first.given, GIVEN[gender].draw(rng))
    if gender == first.gender and rng.random() < 0.5:
        names = rng.choice(TWIN_NAMES[gender])
    if names[0] == names[1] or set(names) in ONE_NAME:
        names = (names[0], "Robin")
    ssn = f"{int(first.ssn) + 1:09}" if first.ssn[-1] != "9" else first.ssn[:-1] + "1"
    yield replace(first, given=names[0])
    yield replace(
        first, given=names[1], gender=gender, ssn=ssn, middle=_middle(rng, gender),
        mobile=a_phone(rng),
    )  # fmt: skip


def _juniors(rng: Random, father: Person) -> Iterator[Person]:
    """A son of his father's name under one roof; the roster may lack either's suffix."""
    years = rng.randint(18, 40)
    born = date(father.birth.year + years, rng.randint(1, 12), rng.randint(1, 28))
    if rng.random() < 0.3:
        born = father.birth.replace(year=father.birth.year + 10 * rng.randint(2, 3), day=1)
    known = rng.random()
    yield replace(father, suffix="Sr" if known < 0.4 else None, birth=father.birth.replace(day=1))
    yield replace(
        father, suffix="Jr" if known < 0.8 else None, birth=born, ssn=an_ssn(rng),
        mobile=a_phone(rng), middle=father.middle if rng.random() < 0.6 else _middle(rng, "M"),
    )  # fmt: skip


def _namesakes(rng: Random, one: Person) -> Iterator[Person]:
    """Another of the same name and birth date; now and then in the same town."""
    other = a_home(rng)
    if rng.random() < 0.3:
        other = replace(other, city=one.home.city, state=one.home.state, zip5=one.home.zip5)
    yield one
    yield replace(
        one, home=other, ssn=an_ssn(rng), mobile=a_phone(rng), policy=f"{one.policy}-2",
        middle=None if one.middle is None else _middle(rng, one.gender), old_home=None,
    )  # fmt: skip


# ---- people ----------------------------------------------------------------------------------


def a_person(
    rng: Random,
    family: str,
    home: Home,
    policy: str,
    gender: str,
    *,
    years: tuple[int, int],
    married: bool = False,
) -> Person:
    born = _TODAY - timedelta(days=rng.randint(years[0] * 365, years[1] * 365 + 364))
    return Person(
        number=0,
        family=family,
        given=GIVEN[gender].draw(rng),
        middle=_middle(rng, gender),
        suffix=None,
        birth=born,
        gender=gender,
        home=home,
        mobile=a_phone(rng),
        ssn=an_ssn(rng),
        policy=policy,
        former=a_family(rng) if married and rng.random() < 0.7 else None,
        old_home=a_home(rng) if rng.random() < 0.3 else None,
    )


def _middle(rng: Random, gender: str) -> str | None:
    draw = rng.random()
    if draw < 0.35:
        return None
    name = GIVEN[gender].draw(rng)
    return name if draw < 0.7 else name[0]


def a_family(rng: Random) -> str:
    draw = rng.random()
    if draw < 0.03:
        return f"{FAMILIES.draw(rng)}-{FAMILIES.draw(rng)}"
    if draw < 0.06:
        return f"{FAMILIES.draw(rng)} {FAMILIES.draw(rng)}"
    return FAMILIES.draw(rng)


def a_home(rng: Random) -> Home:
    place = rng.randint(0, 899)
    return Home(
        number=rng.randint(1, 999) if rng.random() < 0.6 else rng.randint(1000, 9899),
        street=STREETS.draw(rng),
        kind=rng.choice(KINDS_OF_STREET),
        flat=str(rng.randint(1, 40)) if rng.random() < 0.25 else None,
        city=f"{STREETS.draw(Random(place))} {('City', 'Falls', 'Park')[place % 3]}",
        state=("IL", "WI", "IN")[place % 3],
        zip5=f"{60000 + place}",
        phone=a_phone(rng),
    )


def a_phone(rng: Random) -> str:
    return f"{rng.randint(201, 989)}{rng.randint(200, 999)}{rng.randint(0, 9999):04}"


def an_ssn(rng: Random) -> str:
    area = rng.randint(1, 772)
    area = 667 if area == 666 else area
    return f"{area:03}{rng.randint(1, 99):02}{rng.randint(1, 9998):04}"


# ---- what a roster makes of them -------------------------------------------------------------


def _roster(rng: Random, person: Person) -> Demographics:
    known = person.demographics()
    names = [person.name]
    if person.former is not None and rng.random() < 0.4:
        names.append(PN(person.former, (person.given,), use="BAD"))
    addresses = [person.home.ad()] if rng.random() < 0.97 else []
    if person.old_home is not None and rng.random() < 0.5:
        addresses.append(person.old_home.ad())
    if addresses and rng.random() < 0.01:
        addresses[0] = replace(addresses[0], state="ZZ", postal_code="00000")
    phones = [person.home.phone] if rng.random() < 0.8 else []
    if rng.random() < 0.4:
        phones.append(person.mobile)
    return replace(
        known,
        names=tuple(names),
        birth_time=_roster_birth(rng, person.birth),
        gender=person.gender if rng.random() < 0.99 else None,
        addresses=tuple(addresses),
        telecoms=tuple(TEL(phone) for phone in phones),
        ids=tuple(_roster_ids(rng, person)),
    )


def _roster_birth(rng: Random, born: date) -> TS:
    draw = rng.random()
    if draw < 0.01:
        return TS(rng.choice(NO_BIRTHS))
    if draw < 0.02:
        return TS(f"{born.year}0101")
    return TS(born.strftime("%Y%m%d"))


def _roster_ids(rng: Random, person: Person) -> Iterator[II]:
    draw = rng.random()
    if draw < 0.6:
        yield II(US_SSN, person.ssn)
    elif draw < 0.63:
        yield II(US_SSN, rng.choice(NO_SSNS))
    yield II(SUBSCRIBERS, person.policy)
    if rng.random() < 0.2:
        yield II(LICENCES, f"D{person.ssn[::-1]}")
