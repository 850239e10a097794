"""What partners ask about the people of `population`: as they are, spoilt in known ways, or others.

A plant knows who is meant. Whether a question could be answered at all is judged here by what it
shares with the roster, without a line of the matcher's own code.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from ccda.hl7v3 import AD, II, PN, TEL, TS, US_SSN
from ihe.xcpd import Demographics
from tests.gateway.people.names import GIVEN
from tests.gateway.people.population import (
    LICENCES,
    NO_BIRTHS,
    NO_SSNS,
    ONE_NAME,
    SUBSCRIBERS,
    TWIN_NAMES,
    Enrolled,
    Person,
    a_family,
    a_home,
    an_ssn,
)


@dataclass(frozen=True, slots=True)
class Shared:
    """Which facts of a question stand in the roster just so."""

    birth: bool
    door: bool
    phone: bool
    ssn: bool
    licence: bool

    @property
    def home(self) -> bool:
        return self.door or self.phone or self.ssn or self.licence


Make = Callable[[Random, Enrolled], Demographics | None]
Needs = Callable[[Shared], bool]


@dataclass(frozen=True, slots=True)
class Plant:
    """A kind of question. `needs` says with which shared facts it can be answered; None: never.

    `about` is whether the member is meant at all, or somebody who only resembles it.
    """

    kind: str
    make: Make
    needs: Needs | None
    about: bool = True


@dataclass(frozen=True, slots=True)
class Question:
    """One question, who is meant (None: nobody enrolled), and whether its facts could say so."""

    kind: str
    demographics: Demographics
    meant: Enrolled | None
    answerable: bool


def questions(enrolled: Enrolled, seed: int) -> Iterator[Question]:
    """Every kind of question that can be asked about that member."""
    for plant in PLANTS:
        rng = Random(f"{seed} {plant.kind} {enrolled.person.number}")
        made = plant.make(rng, enrolled)
        if made is not None:
            shared = _shared(made, enrolled.stated)
            could = plant.needs is not None and plant.needs(shared)
            yield Question(plant.kind, made, enrolled if plant.about else None, could)


def _shared(asked: Demographics, stated: Demographics) -> Shared:
    doors = {(ad.lines[0], ad.postal_code) for ad in stated.addresses if ad.state != "ZZ"}
    phones = {(tel.value or "")[-10:] for tel in stated.telecoms}
    ids = {id.extension for id in stated.ids if id.root == US_SSN} - set(NO_SSNS)
    licences = {id.extension for id in stated.ids if id.root == LICENCES}
    births = {asked.birth_time.value if asked.birth_time else None} - {*NO_BIRTHS, None}
    return Shared(
        birth=bool(births & {stated.birth_time.value if stated.birth_time else None}),
        door=any((ad.lines[0], ad.postal_code) in doors for ad in asked.addresses if ad.lines),
        phone=any((tel.value or "")[-10:] in phones for tel in asked.telecoms),
        ssn=any(_is_among(id.extension or "", ids) for id in asked.ids if id.root == US_SSN),
        licence=any(id.extension in licences for id in asked.ids if id.root == LICENCES),
    )


def _is_among(number: str, numbers: set[str | None]) -> bool:
    if number.startswith("X"):
        return any((known or "")[-4:] == number[-4:] for known in numbers)
    return number in numbers


# ---- what must be shared ---------------------------------------------------------------------


def _usual(shared: Shared) -> bool:
    return shared.birth and shared.home


def _with_ssn(shared: Shared) -> bool:
    return shared.birth and shared.ssn


def _ssn(shared: Shared) -> bool:
    return shared.ssn


def _both_homes(shared: Shared) -> bool:
    return shared.door and shared.phone


# ---- the member, spoilt ----------------------------------------------------------------------


def _asked(person: Person, **changes: object) -> Demographics:
    """As a provider knows the person: without the SSN, which many do not ask for."""
    return replace(person.demographics(), **{"ids": (), **changes})  # type: ignore[arg-type]


def _ids(person: Person) -> tuple[II, ...]:
    return (II(US_SSN, person.ssn),)


def _named(person: Person, **changes: object) -> tuple[PN, ...]:
    return (replace(person.name, **changes),)  # type: ignore[arg-type]


def _as_is(rng: Random, one: Enrolled) -> Demographics:
    return _asked(one.person)


def _kin(kin: str, *, bare: bool = False) -> Make:
    def make(rng: Random, one: Enrolled) -> Demographics | None:
        if one.kin != kin:
            return None
        return _asked(
            one.person, names=_named(one.person, suffix=()) if bare else (one.person.name,)
        )

    return make


def _capitals(rng: Random, one: Enrolled) -> Demographics:
    plain = str.maketrans("üúñéÜÚÑÉ", "uuneUUNE", "'’.")
    name = one.person.name
    family = (name.family or "").translate(plain).upper()
    return _asked(
        one.person,
        names=(replace(name, family=family, given=tuple(g.upper() for g in name.given)),),
        telecoms=(TEL(f"({one.person.home.phone[:3]}) {one.person.home.phone[3:]} x12"),),
    )


NICKNAMES: Final = {
    "James": "Jim", "Robert": "Bob", "William": "Bill", "Michael": "Mike", "Richard": "Rick",
    "Elizabeth": "Liz", "Margaret": "Peggy", "Patricia": "Pat", "Jennifer": "Jen", "Joseph": "Joe",
    "Thomas": "Tom", "Charles": "Chuck", "Katherine": "Kate", "Rebecca": "Becky", "Edward": "Ted",
    "Susan": "Sue", "Deborah": "Debbie", "Christopher": "Chris", "Samuel": "Sam", "Jose": "Pepe",
}  # fmt: skip


def _nickname(rng: Random, one: Enrolled) -> Demographics | None:
    short = NICKNAMES.get(one.person.given)
    return short and _asked(one.person, names=_named(one.person, given=(short,)))


def _slip(rng: Random, text: str) -> str:
    """One letter left out, doubled, wrong or exchanged, never the first."""
    at = rng.randint(1, len(text) - 2)
    kind = rng.randrange(4)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    if kind == 2:
        return text[:at] + rng.choice("aeioutnrs") + text[at + 1 :]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _family_slip(rng: Random, one: Enrolled) -> Demographics | None:
    if len(one.person.family) < 5:
        return None
    return _asked(one.person, names=_named(one.person, family=_slip(rng, one.person.family)))


def _given_slip(with_ssn: bool) -> Make:
    def make(rng: Random, one: Enrolled) -> Demographics | None:
        if len(one.person.given) < 5:
            return None
        names = _named(one.person, given=(_slip(rng, one.person.given),))
        return _asked(one.person, names=names, ids=_ids(one.person) if with_ssn else ())

    return make


def _half_of_a_compound(rng: Random, one: Enrolled) -> Demographics | None:
    parts = one.person.family.replace("-", " ").split(" ")
    if len(parts) != 2 or len(parts[0]) < 4:
        return None
    return _asked(one.person, names=_named(one.person, family=rng.choice(parts)))


def _hyphenated(rng: Random, one: Enrolled) -> Demographics | None:
    if " " in one.person.family or "-" in one.person.family:
        return None
    family = f"{one.person.family}-{a_family(rng).split(' ')[0]}"
    return _asked(one.person, names=_named(one.person, family=family))


def _listed_former(rng: Random, one: Enrolled) -> Demographics | None:
    """Asked under the former name, which the roster knows too."""
    if len(one.stated.names) < 2:
        return None
    return _asked(one.person, names=_named(one.person, family=one.person.former))


def _new_name_beside_the_old(rng: Random, one: Enrolled) -> Demographics:
    new = replace(one.person.name, family=a_family(rng))
    return _asked(one.person, names=(new, replace(one.person.name, use="BAD")))


def _married(rng: Random, one: Enrolled, *, with_ssn: bool, moved: bool) -> Demographics | None:
    if one.person.gender != "F" or one.kin is not None:
        return None
    where = a_home(rng) if moved else one.person.home
    return _asked(
        one.person,
        names=_named(one.person, family=a_family(rng)),
        ids=_ids(one.person) if with_ssn else (),
        addresses=(where.ad(),),
        telecoms=(TEL(where.phone),),
    )


def _moved(*, phone: str | None = None, old: bool = False, ssn: bool | str = False) -> Make:
    """At a new door; `phone` says whether the number came along."""

    def make(rng: Random, one: Enrolled) -> Demographics:
        new = a_home(rng)
        number = {"home": one.person.home.phone, "mobile": one.person.mobile}.get(phone or "")
        shown = one.person.ssn if ssn is True else f"XXX-XX-{one.person.ssn[-4:]}"
        return _asked(
            one.person,
            addresses=(new.ad(), one.person.home.ad()) if old else (new.ad(),),
            telecoms=(TEL(number or new.phone),),
            ids=(II(US_SSN, shown),) if ssn else (),
        )

    return make


def _births(change: Callable[[Random, Person], str | None], ssn: bool = False) -> Make:
    def make(rng: Random, one: Enrolled) -> Demographics | None:
        birth = change(rng, one.person)
        if birth is None or one.stated.birth_time != TS(one.person.birth.strftime("%Y%m%d")):
            return None
        ids = _ids(one.person) if ssn else ()
        return _asked(one.person, birth_time=TS(birth), ids=ids)

    return make


def _swapped_birth(rng: Random, person: Person) -> str | None:
    born = person.birth
    if born.day > 12 or born.day == born.month:
        return None
    return f"{born.year}{born.day:02}{born.month:02}"


def _slipped_birth(rng: Random, person: Person) -> str:
    born = person.birth
    day = {1: 2, 10: 11, 20: 21, 30: 20}.get(born.day, born.day - 1)
    return f"{born.year}{born.month:02}{day:02}"


def _birth_on_roster(stated: Callable[[str], bool]) -> Make:
    """Members whose roster entry has such a birth date, asked by it and by the SSN."""

    def make(rng: Random, one: Enrolled) -> Demographics | None:
        birth = (one.stated.birth_time or TS(None)).value or ""
        if not stated(birth):
            return None
        return _asked(one.person, birth_time=TS(birth), ids=_ids(one.person))

    return make


def _with_number(number: Callable[[Random, Person], str]) -> Make:
    return lambda rng, one: _asked(one.person, ids=(II(US_SSN, number(rng, one.person)),))


def _ssn_slip(rng: Random, person: Person) -> str:
    return person.ssn[:-1] + str((int(person.ssn[-1]) + 3) % 10 or 5)


def _no_ssn_on_roster(rng: Random, one: Enrolled) -> Demographics | None:
    has = any(id.extension in NO_SSNS for id in one.stated.ids)
    return _asked(one.person, ids=_ids(one.person)) if has else None


def _licence(rng: Random, one: Enrolled) -> Demographics:
    """Only the driving licence beside name and birth date; several are named."""
    return _asked(
        one.person,
        addresses=(a_home(rng).ad(),),
        telecoms=(),
        ids=(II("2.16.840.1.113883.4.3.55", "X1"), II(LICENCES, f"D{one.person.ssn[::-1]}")),
    )


def _by_middle_name(rng: Random, one: Enrolled) -> Demographics | None:
    middle = one.person.middle
    if middle is None or len(middle) < 3:
        return None
    return _asked(one.person, names=_named(one.person, given=(middle,)), ids=_ids(one.person))


def _by_initial(rng: Random, one: Enrolled) -> Demographics:
    given = (one.person.given[0],)
    return _asked(one.person, names=_named(one.person, given=given), ids=_ids(one.person))


def _names_exchanged(rng: Random, one: Enrolled) -> Demographics | None:
    person = one.person
    if person.given == person.family:
        return None
    return _asked(person, names=(PN(person.given, (person.family,)),), ids=_ids(person))


def _without(*fields: str) -> Make:
    empty: dict[str, object] = {"gender": None, "telecoms": (), "addresses": (), "birth_time": None}
    return lambda rng, one: _asked(one.person, **{field: empty[field] for field in fields})


def _no_middle(rng: Random, one: Enrolled) -> Demographics | None:
    if one.person.middle is None:
        return None
    return _asked(one.person, names=_named(one.person, given=(one.person.given,)))


def _door(**changes: object) -> Make:
    def make(rng: Random, one: Enrolled) -> Demographics:
        address = replace(one.person.home.ad(), **changes)  # type: ignore[arg-type]
        return _asked(one.person, addresses=(address,))

    return make


def _no_place(rng: Random, one: Enrolled) -> Demographics:
    return _asked(one.person, addresses=(AD(("UNKNOWN",), "99999", "XX", "00000"),))


def _no_phone(rng: Random, one: Enrolled) -> Demographics:
    return _asked(one.person, telecoms=(TEL("555-0000"), TEL("tel:0000000000"), TEL("none@none")))


def _other_spelling(rng: Random, one: Enrolled) -> Demographics | None:
    home = one.person.home
    if home.ad() not in one.stated.addresses:
        return None
    kinds = {"Street": "St.", "St": "STREET", "Ave": "Avenue", "Avenue": "AVE", "Road": "Rd"}
    kind = kinds.get(home.kind, home.kind.upper())
    line = f"{home.number} {home.street.upper()} {kind}"
    address = AD((line,), home.city.upper(), "Illinois" if home.state == "IL" else home.state,
                 f"{home.zip5}-1234")  # fmt: skip
    return _asked(one.person, addresses=(address,), telecoms=())


def _lists(rng: Random, one: Enrolled) -> Demographics:
    """Several names, addresses, numbers and ids; one of each is the roster's."""
    person, other = one.person, a_home(rng)
    return _asked(
        person,
        names=(replace(person.name, given=(person.given, "Q")), person.name),
        addresses=(other.ad(), a_home(rng).ad(), person.home.ad()),
        telecoms=(TEL(other.phone), TEL("mailto:none@example.org"), TEL(person.home.phone)),
        ids=(II("2.999.1.2.3", "77"), II(LICENCES, f"D{person.ssn[::-1]}")),
    )


# ---- somebody else ---------------------------------------------------------------------------


def _twin_of(rng: Random, one: Enrolled) -> Demographics | None:
    """A twin who is not enrolled: all of the household's facts, and the policy number."""
    person = one.person
    if one.kin == "twins":
        return None
    pairs = [pair for pair in TWIN_NAMES[person.gender] if person.given in pair]
    pair = rng.choice(pairs) if pairs else (person.given, GIVEN[person.gender].draw(rng))
    name = pair[1] if pair[0] == person.given else pair[0]
    if name == person.given or any({name, person.given} <= names for names in ONE_NAME):
        return None
    ssn = person.ssn[:-1] + str((int(person.ssn[-1]) + 1) % 10)
    ids = (II(SUBSCRIBERS, person.policy), II(US_SSN, ssn))
    return _asked(person, names=_named(person, given=(name,)), ids=rng.choice((ids, ids[:1], ())))


def _parent_of(rng: Random, one: Enrolled) -> Demographics | None:
    """A parent of the same name under the same roof, not enrolled, mostly without a suffix."""
    if one.kin is not None:
        return None
    born = one.person.birth
    birth = f"{born.year - rng.choice((17, 20, 21, 30, 40))}{born.month:02}{born.day:02}"
    suffix = ("Sr",) if rng.random() < 0.3 else ()
    return _asked(
        one.person, names=_named(one.person, suffix=suffix), birth_time=TS(birth),
        ids=(II(SUBSCRIBERS, one.person.policy),),
    )  # fmt: skip


def _sibling_of(rng: Random, one: Enrolled) -> Demographics | None:
    """Born a year apart with a name that is nearly the same."""
    pairs = [pair for pair in TWIN_NAMES[one.person.gender] if one.person.given in pair]
    if not pairs or one.kin is not None:
        return None
    first, second = rng.choice(pairs)
    name, born = second if first == one.person.given else first, one.person.birth
    birth = TS(f"{born.year + 1}{born.month:02}{born.day:02}")
    return _asked(one.person, names=_named(one.person, given=(name,)), birth_time=birth)


def _namesake_of(*, near: bool) -> Make:
    def make(rng: Random, one: Enrolled) -> Demographics | None:
        if one.kin == "namesakes":
            return None
        home, own = a_home(rng), one.person.home
        if near:
            home = replace(home, city=own.city, state=own.state, zip5=own.zip5)
        ids = (II(US_SSN, an_ssn(rng)),) if rng.random() < 0.5 else ()
        return _asked(one.person, addresses=(home.ad(),), telecoms=(TEL(home.phone),), ids=ids)

    return make


def _spouse_of(rng: Random, one: Enrolled) -> Demographics | None:
    """Of the household, and with the member's SSN in its own place, as insurers had it written."""
    gender = "M" if one.person.gender == "F" else "F"
    given = GIVEN[gender].draw(rng)
    born = f"{one.person.birth.year + rng.randint(-4, 4)}{rng.randint(1, 12):02}11"
    return _asked(
        one.person, names=(PN(one.person.family, (given,)),), gender=gender, birth_time=TS(born),
        ids=_ids(one.person),
    )  # fmt: skip


def _placeholders_only(rng: Random, one: Enrolled) -> Demographics:
    """The member's name, and everything else what is written for want of better."""
    return _asked(
        one.person,
        birth_time=TS(rng.choice(NO_BIRTHS)),
        addresses=(AD(("Homeless",), one.person.home.city, one.person.home.state, "99999"),),
        telecoms=(TEL("9999999999"),),
        ids=(II(US_SSN, rng.choice(NO_SSNS)),),
    )


def _typed_ssn(rng: Random, one: Enrolled) -> Demographics:
    """A stranger whose SSN was typed as the member's, of the same birth date."""
    home, gender = a_home(rng), one.person.gender
    name = PN(a_family(rng), (GIVEN[gender].draw(rng),))
    return _asked(
        one.person, names=(name,), addresses=(home.ad(),), telecoms=(TEL(home.phone),),
        ids=_ids(one.person), birth_time=TS(f"{rng.randint(1940, 2010)}0315"),
    )  # fmt: skip


def _year_only(rng: Random, person: Person) -> str:
    return str(person.birth.year)


PLANTS: Final = (
    Plant("as enrolled", _as_is, _usual),
    Plant("twin, both enrolled", _kin("twins"), _usual),
    Plant("junior or senior, both enrolled", _kin("junior and senior"), _usual),
    Plant("the same without the suffix", _kin("junior and senior", bare=True), _usual),
    Plant("namesake of one birth date, both enrolled", _kin("namesakes"), _usual),
    Plant("capitals, no accents", _capitals, _usual),
    Plant("nickname", _nickname, _usual),
    Plant("slip in the family name", _family_slip, _usual),
    Plant("slip in the given name, SSN", _given_slip(True), _with_ssn),
    Plant("slip in the given name", _given_slip(False), None),
    Plant("half of a compound name", _half_of_a_compound, _usual),
    Plant("name hyphenated since", _hyphenated, _usual),
    Plant("former name, on the roster too", _listed_former, _usual),
    Plant("new name beside the former one", _new_name_beside_the_old, _usual),
    Plant("new name, SSN", lambda r, o: _married(r, o, with_ssn=True, moved=True), _with_ssn),
    Plant("new name, same home", lambda r, o: _married(r, o, with_ssn=False, moved=False), None),
    Plant("new name and home", lambda r, o: _married(r, o, with_ssn=False, moved=True), None),
    Plant("moved, same telephone", _moved(phone="home"), _usual),
    Plant("moved, mobile", _moved(phone="mobile"), _usual),
    Plant("moved, old address named", _moved(old=True), _usual),
    Plant("moved, SSN", _moved(ssn=True), _usual),
    Plant("moved, last four of the SSN", _moved(ssn="last four"), _with_ssn),
    Plant("moved, nothing else", _moved(), None),
    Plant("day and month exchanged", _births(_swapped_birth), _both_homes),
    Plant("slip in the birth date", _births(_slipped_birth), _both_homes),
    Plant("slip in the birth date, SSN", _births(_slipped_birth, ssn=True), _ssn),
    Plant("placeholder birth date, SSN", _births(lambda r, p: r.choice(NO_BIRTHS), ssn=True), _ssn),
    Plant("placeholder birth date", _births(lambda r, p: r.choice(NO_BIRTHS)), None),
    Plant("first of January, SSN", _births(lambda r, p: f"{p.birth.year}0101", ssn=True), _ssn),
    Plant("year alone, SSN", _births(_year_only, ssn=True), _ssn),
    Plant("placeholder birth date on both sides", _birth_on_roster(lambda b: b in NO_BIRTHS), _ssn),
    Plant("first of January on both sides",
          _birth_on_roster(lambda b: b[4:] == "0101" and b not in NO_BIRTHS), _usual),
    Plant("placeholder SSN", _with_number(lambda r, p: r.choice(NO_SSNS)), _usual),
    Plant("placeholder SSN on the roster", _no_ssn_on_roster, _usual),
    Plant("slip in the SSN", _with_number(_ssn_slip), _usual),
    Plant("driving licence", _licence, _usual),
    Plant("by the middle name, SSN", _by_middle_name, _with_ssn),
    Plant("by an initial, SSN", _by_initial, _with_ssn),
    Plant("family and given exchanged, SSN", _names_exchanged, _with_ssn),
    Plant("no middle name", _no_middle, _usual),
    Plant("no gender", _without("gender"), _usual),
    Plant("no telephone", _without("telecoms"), _usual),
    Plant("no address", _without("addresses"), _usual),
    Plant("name, gender and birth date alone", _without("addresses", "telecoms"), None),
    Plant("no birth date", _without("birth_time"), None),
    Plant("bad state", _door(state="ZZ"), _usual),
    Plant("bad city", _door(city="12345"), _usual),
    Plant("bad ZIP", _door(postal_code="00000"), _usual),
    Plant("no place, only words", _no_place, _usual),
    Plant("no telephone number", _no_phone, _usual),
    Plant("gender of another code", lambda r, o: _asked(o.person, gender="FTM"), _usual),
    Plant("street spelt otherwise, no flat", _other_spelling, lambda shared: shared.birth),
    Plant("several of everything", _lists, _usual),
    Plant("a twin who is not enrolled", _twin_of, None, about=False),
    Plant("a parent of the same name", _parent_of, None, about=False),
    Plant("a sibling of nearly the same name", _sibling_of, None, about=False),
    Plant("a namesake of one birth date", _namesake_of(near=False), None, about=False),
    Plant("a namesake of one birth date and ZIP", _namesake_of(near=True), None, about=False),
    Plant("a spouse under the member's SSN", _spouse_of, None, about=False),
    Plant("a stranger under the member's SSN", _typed_ssn, None, about=False),
    Plant("nothing but placeholders", _placeholders_only, None, about=False),
)  # fmt: skip
