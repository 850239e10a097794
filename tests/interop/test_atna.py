"""What ATNA is told of an exchange, by us and by IPF: the same, but for what stands in the tables.

Every transaction crosses between us and IPF in both directions, so that there are four messages of
it: of either side, by either hand. Those of one exchange must say the same of what was done
(`SAME_EXCHANGE`); those of one side, of two exchanges, must have the same form (`SAME_SIDE`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import pytest
from lxml import etree

from gateway.model.partner import Endpoints
from tests.gateway.clients.syslog_receiver import schema
from tests.interop import facts
from tests.interop.atna_messages import Told, differences, shape, told, transaction
from tests.interop.conftest import World
from tests.interop.our_gateway import PURPOSE

TRANSACTIONS: Final = ("ITI-55", "ITI-38", "ITI-39", "ITI-41", "ITI-80")
SUBMISSIONS: Final = ("ITI-41", "ITI-80")

_BOTH: Final = {
    "* event.PurposeOfUse": "ITI TF-2: 3.20.4.1.2: stated where known; IPF reads no assertion here",
    "* person.*": "the human requestor, where known; IPF reads no assertion here",
    "* *.NetworkAccessPointTypeCode": "we name our host, IPF its address; either may be",
    "ITI-39 patient.*": "0..1: the request does not name the patient, our record does",
    "ITI-39 destination.UserIsRequestor": "ITI TF-2: 3.39.5.1: who asks is the destination; "
    "IPF says that nobody asked",
    "ITI-55 event.EventOutcomeDescription": "our record's reason: how each match was judged",
    "ITI-38 event.EventOutcomeDescription": "the same: how many documents we were listed",
    "ITI-80 event.EventOutcomeDescription": "our record's reason: the document had come before",
    "ITI-80 event.EventTypeCode": "the transaction's title; IPF writes it as one word",
    "ITI-80 submission set.detail ihe:homeCommunityID": "the community that ITI-80 names; "
    "IPF leaves it out",
}
SAME_EXCHANGE: Final[Mapping[str, str]] = {
    **_BOTH,
    "* audit source.*": "each says who it is itself",
    "* *.AlternativeUserID": "the process id stands on one's own side of the pair",
    "* *.NetworkAccessPointID": "each knows its own host by another name than its partner does",
    "* source.UserID": "who asks: wsa:ReplyTo if asynchronous, else free",
    "ITI-39 destination.UserID": "the same: of a retrieve who asks is the destination",
    "* source.UserName": "IPF names the other side's TLS certificate; ITI-20 has it optional",
    "ITI-39 event.EventID": "what one exports the other imports",
    "ITI-39 event.EventActionCode": "the same",
    "ITI-41 event.EventID": "the same",
    "ITI-41 event.EventActionCode": "the same",
    "ITI-80 event.EventID": "the same",
    "ITI-80 event.EventActionCode": "the same",
    "ITI-55 patient.*": "ITI TF-2: 3.55.5.1: the patients returned are told by who returns them",
    "ITI-38 patient.*": "GetDocuments does not name the patient, our record does",
    "ITI-55 query.ParticipantObjectID": "not specialized; IPF repeats the query's id",
    "ITI-55 query.detail ihe:homeCommunityID": "the community asked, as a URN; IPF has the asker's",
    "ITI-38 query.detail urn:ihe:iti:xca:2010:homeCommunityId": "if known; FindDocuments does not "
    "name it, and IPF knows it only where it answers",
    "ITI-41 patient.ParticipantObjectID": "whom we know as a member has our own id",
    "ITI-80 patient.ParticipantObjectID": "the same",
}
SAME_SIDE: Final[Mapping[str, str]] = {
    **_BOTH,
    "* source.UserName": SAME_EXCHANGE["* source.UserName"],
    "ITI-38 query.detail urn:ihe:iti:xca:2010:homeCommunityId": SAME_EXCHANGE[
        "ITI-38 query.detail urn:ihe:iti:xca:2010:homeCommunityId"
    ],
    "ITI-55 query.ParticipantObjectID": SAME_EXCHANGE["ITI-55 query.ParticipantObjectID"],
}
Messages = tuple[etree._Element, ...]


@dataclass(frozen=True, slots=True)
class Audited:
    """The messages of both directions, each by transaction and in order."""

    we_ask: Messages
    ipf_answers: Messages
    ipf_asks: Messages
    we_answer: Messages


@pytest.fixture(scope="module")
def audited(world: World) -> Audited:
    answering, asking = world.folder / "ipf-answers.txt", world.folder / "ipf-asks.txt"
    with (
        world.java_responder(audit=str(answering)) as responder,
        world.our_initiator("audited-asking") as ours,
    ):
        ours.file(facts.MORE_DOCUMENTS[0])  # what it has from the partner it does not give back
        retrieved = ours.retrieve(ours.member, responder.addresses)
        assert retrieved.partner["outcome"] == "matched", retrieved.partner
        for name in SUBMISSIONS:
            endpoint = {name.replace("-", "").lower(): responder.submissions[name]}
            assert ours.submit(ours.member, Endpoints(**endpoint))["state"] == "success"
        we_ask = _in_order(ours.audit_messages(direction="out"))
    with world.our_responder("audited-answering") as ours:
        ours.file(facts.DOCUMENT)
        asked = world.java_initiator(
            ours.addresses, facts_file=world.initiator_of_ours_facts, audit=str(asking)
        )
        assert asked.exit_code == 0, asked
        for name in SUBMISSIONS:
            submitted = world.java_submits(ours.submissions, name, audit=str(asking))
            assert submitted.exit_code == 0, submitted
        we_answer = _in_order(ours.audit_messages(direction="in"))
    return Audited(we_ask, _written(answering), _written(asking), we_answer)


def _written(file: Path) -> Messages:
    """What IPF wrote: a syslog message a line."""
    lines = file.read_text("utf-8").splitlines()
    return _in_order(etree.fromstring(line[line.index("<AuditMessage") :]) for line in lines)


def _in_order(messages: Iterator[etree._Element] | Messages) -> Messages:
    of_exchanges = [one for one in messages if transaction(one) in TRANSACTIONS]
    return tuple(sorted(of_exchanges, key=lambda one: TRANSACTIONS.index(transaction(one))))


def test_both_tell_of_every_exchange_and_ours_are_of_the_schema(audited: Audited) -> None:
    once, twice = list(TRANSACTIONS), ["ITI-55", "ITI-38", "ITI-38", "ITI-39", "ITI-41", "ITI-80"]
    assert [transaction(one) for one in audited.we_ask] == once
    assert [transaction(one) for one in audited.ipf_answers] == once
    assert [transaction(one) for one in audited.ipf_asks] == twice
    assert [transaction(one) for one in audited.we_answer] == twice
    for message in (*audited.we_ask, *audited.we_answer):
        schema().assertValid(message)


def test_of_one_exchange_both_sides_say_the_same(audited: Audited) -> None:
    pairs = (
        *zip(audited.we_ask, audited.ipf_answers, strict=True),
        *zip(audited.we_answer, audited.ipf_asks, strict=True),
    )
    _compare(pairs, told, SAME_EXCHANGE)


def test_on_one_side_both_have_the_same_form(audited: Audited) -> None:
    _compare(
        [
            *_alike(audited.we_ask, audited.ipf_asks),
            *_alike(audited.we_answer, audited.ipf_answers),
        ],
        shape,
        SAME_SIDE,
    )


def test_ours_say_who_asked_and_why(audited: Audited) -> None:
    for messages, purpose in (
        (audited.we_ask, PURPOSE),
        (audited.we_answer, facts.INITIATOR["user.purpose"]),
    ):
        for message in messages:
            said = told(message)
            assert said["event.PurposeOfUse"].startswith(f"{purpose} | ")
            assert said["person.UserIsRequestor"] == "true"
    assert told(audited.we_answer[0])["person.UserID"] == facts.INITIATOR["user.name"]


def _alike(ours: Messages, theirs: Messages) -> Iterator[tuple[etree._Element, etree._Element]]:
    """Each kind of message once: the first of either."""
    for name in TRANSACTIONS:
        yield tuple(  # type: ignore[misc]
            next(one for one in messages if transaction(one) == name) for messages in (ours, theirs)
        )


def _compare(
    pairs: Iterator[tuple[etree._Element, etree._Element]]
    | list[tuple[etree._Element, etree._Element]]
    | tuple[tuple[etree._Element, etree._Element], ...],
    read: Callable[[etree._Element], Told],
    explained: Mapping[str, str],
) -> None:
    """Nothing differs but what the table explains, and the table explains nothing else."""
    used, unexplained = set(), []
    for ours, theirs in pairs:
        said, heard = read(ours), read(theirs)
        for key in sorted(differences(said, heard)):
            name = f"{transaction(ours)} {key}"
            rows = [row for row in explained if fnmatchcase(name, row)]
            used.update(rows)
            if not rows:
                unexplained.append((name, said.get(key), heard.get(key)))
    assert unexplained == []
    assert explained.keys() - used == set()
