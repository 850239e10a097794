"""People in the form that they are compared in, kept beside what the roster states of them.

A question is compared with several members, and to read each from the roster's words takes ten
times as long as to read this.
"""

from typing import Final

import orjson

from gateway.model.addresses import Address
from gateway.model.ignored import Ignored
from gateway.model.person import BirthDate, Name, Person, read_person
from gateway.store.values import load
from ihe.xcpd import Demographics

FORM: Final = 2
"""Another number, and a migration that writes all anew, once `read_person` reads the same words
differently: nobody may be found by what they were read as yesterday."""


def write_person(person: Person) -> str:
    """What `load_person` reads; the same for the same person."""
    birth = person.birth
    return orjson.dumps(
        [
            FORM,
            [[n.family, n.given, n.middle, n.suffix, n.given_joined] for n in person.names],
            None if birth is None else [birth.year, birth.month, birth.day],
            person.gender,
            [[a.street, a.city, a.state, a.zip5] for a in person.addresses],
            sorted(person.phones),
            sorted(person.emails),
            person.ssn,
            sorted(person.ids),
            person.maiden,
            [[i.attribute, i.why] for i in person.ignored],
        ]
    ).decode()


def load_person(text: str | None, roster: str) -> Person:
    """The person that was written; read from the `roster`'s words where the form is an older one
    or there is none."""
    form, *kept = orjson.loads(text) if text else (None,)
    if form != FORM:
        return read_person(load(Demographics, roster))
    names, birth, gender, addresses, phones, emails, ssn, ids, maiden, ignored = kept
    return Person(
        tuple([Name(tuple(f), given, tuple(m), suffix, j) for f, given, m, suffix, j in names]),
        None if birth is None else BirthDate(*birth),
        gender,
        tuple([Address(tuple(street), *place) for street, *place in addresses]),
        frozenset(phones),
        frozenset(emails),
        ssn,
        frozenset(map(tuple, ids)),
        tuple(maiden),
        tuple([Ignored(*one) for one in ignored]),
    )
