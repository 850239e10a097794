"""Every transaction, on both sides and however it ends, leaves one record that says what was done.

A transaction that the wire speaks and the table lacks fails; so does an outcome that is not shown.
Refusals before anybody is verified are counted instead (tests/gateway/api/test_soap_refusals.py),
and answers that come later have their records in test_asynchronous.py.
"""

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import text

import ihe.soap
from ccda.hl7v3 import TS
from gateway.api import soap
from gateway.app.house import House
from gateway.exchange import asking
from gateway.model.exchange import Exchange
from gateway.model.link import Link
from gateway.model.partner import PartnerProfile
from gateway.store import exchange_log, links
from gateway.store.evidence import Evidence, evidence
from ihe.discovery import Matched
from ihe.identifiers import HomeCommunityId, PatientId, UniqueId
from ihe.patient_location import write_location_request
from ihe.registry_response import RegistryResponse, ResponseStatus
from ihe.soap import (
    ITI_38_REQUEST,
    ITI_39_REQUEST,
    ITI_41_REQUEST,
    ITI_55_REQUEST,
    ITI_56_REQUEST,
    ITI_80_REQUEST,
    MessageKind,
)
from ihe.wire import SealedRequest, read_unopened
from tests.gateway import house as lakeshore
from tests.gateway.asking import (
    ask,
    discovery,
    find_documents,
    patient_id,
    retrieve,
    wanted,
)
from tests.gateway.clients.asking_house import MEMBER as ASKED_FOR
from tests.gateway.clients.asking_house import (
    PLAN,
    asking_house,
    calls,
    new_retrieval,
    open_rows,
    retrieval_of,
    run_retrieval,
)
from tests.gateway.clients.scripted_partner import (
    DOCUMENTS,
    Heard,
    Reply,
    Script,
    a_match,
    discovered,
    envelope_in,
    scripted,
)
from tests.gateway.clients.scripted_partner import retrieved as retrieved_reply
from tests.gateway.clients.test_misbehaving_partners import fault
from tests.gateway.house import MEMBER, a_partner, a_rule, documents, records
from tests.gateway.submitting import a_submission, a_take_rule, an_entry, the_ccd
from tests.gateway.submitting import post as submit
from tests.gateway.visiting import Visitor, visiting

TRANSACTIONS: Final = {
    kind.transaction for kind in vars(ihe.soap).values() if isinstance(kind, MessageKind)
}
SENT_BY_US: Final = TRANSACTIONS - {"ITI-41", "ITI-80"}
PUSHED_BY_US: Final = frozenset({"ITI-41", "ITI-80"})
"""Shown, however they end, in tests/gateway/exchange/test_submitting.py."""
OTHER: Final = a_partner("Elsewhere Clinic", "2.999.7303.1")
IN: Final = ("success", "refused", "failed")
OUT: Final = ("success", "refused", "failed", "late", "unknown")
ALSO: Final = {"ITI-39": ("partial",)}
"""A discovery or a query is answered whole or not at all."""


# ---- a partner asks us -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Told:
    """What was asked, and what the record must say of it."""

    sealed: SealedRequest
    facts: dict[str, Any]
    reason: str | None = None


def _break(house: House, table: str) -> None:
    statement = text(f"ALTER TABLE {table} RENAME TO lost_{table}")
    house.database.write(lambda tx: tx.connection.execute(statement))


def _post(visitor: Visitor, path: str, body: Any, kind: MessageKind, **asserted: Any) -> Any:
    sealed = ask(body, kind, partner=visitor.partner, **asserted)
    visitor.door.post(path, sealed.envelope, by=visitor.partner.name)
    return sealed


def _discover(visitor: Visitor, who: Any = MEMBER, **asserted: Any) -> Any:
    return _post(visitor, "/ihe/xcpd", discovery(who), ITI_55_REQUEST, **asserted)


def _find(visitor: Visitor, **asserted: Any) -> Any:
    return _post(visitor, "/ihe/xca", find_documents(), ITI_38_REQUEST, **asserted)


def _get(visitor: Visitor, *one: Any, **asserted: Any) -> Any:
    return _post(visitor, "/ihe/xca", retrieve(*one), ITI_39_REQUEST, **asserted)


def _locate(visitor: Visitor, **asserted: Any) -> Any:
    return _post(
        visitor, "/ihe/xcpd", write_location_request(patient_id()), ITI_56_REQUEST, **asserted
    )


def _told(visitor: Visitor) -> Told:
    there = HomeCommunityId.parse("2.999.7303.1")
    known = Link(
        MEMBER.plan,
        MEMBER.id,
        OTHER.id,
        there,
        PatientId("EW-1", there.oid),
        "confirmed",
        datetime.now(UTC),
    )
    visitor.house.database.write(lambda tx: links.put(tx, known))
    return Told(_locate(visitor), OF_MEMBER, "told of one other community")


def _untold(visitor: Visitor) -> Told:
    return Told(_locate(visitor), {}, "no other community is known")


OF_MEMBER: Final = {"plan": MEMBER.plan, "member": MEMBER.id}


def _found(visitor: Visitor) -> Told:
    return Told(_discover(visitor), OF_MEMBER, "judged: match (96)")


def _nobody(visitor: Visitor) -> Told:
    stranger = replace(MEMBER.demographics, birth_time=TS("19700101"), names=())
    return Told(_discover(visitor, stranger), {}, "below the minimum set")


def _no_purpose(do: Callable[..., Any]) -> Callable[[Visitor], Told]:
    return lambda visitor: Told(do(visitor, purpose_of_use=None), {"purpose": None}, "purpose")


def _lost(do: Callable[..., Any], table: str) -> Callable[[Visitor], Told]:
    def act(visitor: Visitor) -> Told:
        _break(visitor.house, table)
        return Told(do(visitor), {}, "cannot answer now")

    return act


def _listed(visitor: Visitor) -> Told:
    given = tuple(
        one.id
        for one in documents(visitor.house)
        if one.custodian == lakeshore.ORGANIZATION and one.superseded_by is None
    )
    assert len(given) == 3
    return Told(_find(visitor), {**OF_MEMBER, "documents": given}, "2 not given: No rule")


def _given(visitor: Visitor) -> Told:
    one = visitor.held("34133-9")
    return Told(_get(visitor, one), {**OF_MEMBER, "documents": (one.id,)})


def _given_in_part(visitor: Visitor) -> Told:
    one = visitor.held("34133-9")
    sealed = _get(visitor, one, wanted(one, unique_id=UniqueId("2.25.1")))
    missing = "No document of this unique id"
    return Told(sealed, {**OF_MEMBER, "documents": (one.id,)}, missing)


def _unreadable(visitor: Visitor) -> Told:
    shutil.rmtree(visitor.house.settings.data_dir / "blobs")
    return Told(_get(visitor, visitor.held("34133-9")), {}, "cannot answer now")


def _get_without_purpose(visitor: Visitor) -> Told:
    return Told(
        _get(visitor, visitor.held("34133-9"), purpose_of_use=None), {"purpose": None}, "purpose"
    )


def _submit(
    kind: MessageKind, lost: str | None = None, **asserted: Any
) -> Callable[[Visitor], Told]:
    def act(visitor: Visitor) -> Told:
        before = {one.id for one in documents(visitor.house)}
        content = the_ccd()
        home = lakeshore.HOME if kind is ITI_80_REQUEST else None
        if lost is not None:
            _break(visitor.house, lost)
        request = a_submission((an_entry(content), content), home=home)
        sealed, _ = submit(visitor.door, request, content, kind=kind, **asserted)
        if lost is not None:
            return Told(sealed, {}, "cannot answer now")
        if asserted:
            return Told(sealed, {"purpose": None}, "purpose")
        new = tuple({one.id for one in documents(visitor.house)} - before)
        return Told(sealed, {**OF_MEMBER, "documents": new})

    return act


ASKED_OF_US: Final[dict[tuple[str, str], tuple[Callable[[Visitor], Told], ...]]] = {
    ("ITI-55", "success"): (_found, _nobody),
    ("ITI-55", "refused"): (_no_purpose(_discover),),
    ("ITI-55", "failed"): (_lost(_discover, "member_key"),),
    ("ITI-56", "success"): (_told,),
    ("ITI-56", "refused"): (_untold, _no_purpose(_locate)),
    ("ITI-56", "failed"): (_lost(_locate, "link"),),
    ("ITI-38", "success"): (_listed,),
    ("ITI-38", "refused"): (_no_purpose(_find),),
    ("ITI-38", "failed"): (_lost(_find, "document"),),
    ("ITI-39", "success"): (_given,),
    ("ITI-39", "partial"): (_given_in_part,),
    ("ITI-39", "refused"): (_get_without_purpose,),
    ("ITI-39", "failed"): (_unreadable,),
    ("ITI-41", "success"): (_submit(ITI_41_REQUEST),),
    ("ITI-41", "refused"): (_submit(ITI_41_REQUEST, purpose_of_use=None),),
    ("ITI-41", "failed"): (_submit(ITI_41_REQUEST, lost="document"),),
    ("ITI-80", "success"): (_submit(ITI_80_REQUEST),),
    ("ITI-80", "refused"): (_submit(ITI_80_REQUEST, purpose_of_use=None),),
    ("ITI-80", "failed"): (_submit(ITI_80_REQUEST, lost="document"),),
}


def test_there_is_no_other_door() -> None:
    posted = {route.path for route in soap.router.routes if "POST" in (route.methods or ())}  # type: ignore[attr-defined]
    assert posted == {"/ihe/xcpd", "/ihe/xca", "/ihe/xdr"}


def test_every_transaction_is_shown_on_both_sides_and_however_it_ends() -> None:
    for names, side, shown in (
        (TRANSACTIONS, IN, set(ASKED_OF_US)),
        (SENT_BY_US, OUT, set(ASKED_BY_US)),
    ):
        required = {(name, how) for name in names for how in (*side, *ALSO.get(name, ()))}
        assert shown == required


def test_what_we_send_is_what_the_verbs_name() -> None:
    verbs = Path(asking.__file__).parent.glob("*.py")
    kinds = {word for verb in verbs for word in re.findall(r"ITI_\d\d_REQUEST", verb.read_text())}
    assert {kind[:6].replace("_", "-") for kind in kinds} == SENT_BY_US | PUSHED_BY_US


@pytest.mark.parametrize(
    ("name", "outcome", "act"),
    [(*key, act) for key, acts in ASKED_OF_US.items() for act in acts],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_a_partner_asks_leaves_one_record(
    name: str, outcome: str, act: Callable[[Visitor], Told], tmp_path: Path
) -> None:
    rules = [replace(a_rule(), locations=True), a_take_rule()]
    with visiting(tmp_path, rules=rules, known=[OTHER]) as visitor:
        before = len(records(visitor.house))
        told = act(visitor)
        (record,) = records(visitor.house)[before:]
        assert record.request_hash is not None and record.answer_hash is not None
        assert record.duration_ms is not None
        assert visitor.house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
    given = {
        "direction": "in",
        "transaction": name,
        "outcome": outcome,
        "partner": visitor.partner.id,
        "peer": "CN=Northfield Health,O=Gateway demo at 127.0.0.1",
        "person": "Nora Nurse",
        "role": "Administrative",
        "purpose": "PAYMENT",
        "authority": "urn:oid:2.999.7301.9",
        "message_id": told.sealed.message_id,
        **told.facts,
    }
    assert _facts(record) == _facts(_as_record(given))
    if told.reason is None:
        assert record.reason is None
    else:
        assert told.reason in (record.reason or "")


def _as_record(given: dict[str, Any]) -> Exchange:
    return Exchange(time=datetime.now(UTC), **given)


def _facts(record: Exchange) -> Exchange:
    """The record without what no test can know beforehand; documents in any order."""
    return replace(
        record,
        time=datetime.min,
        reason=None,
        duration_ms=None,
        request_hash=None,
        answer_hash=None,
        documents=tuple(sorted(record.documents)),
    )


# ---- we ask a partner ------------------------------------------------------------------------


def _at_a_locator(heard: Heard) -> Reply:
    return Reply(discovered(heard, Matched((a_match(supports_locator=True),))))


Answering = Callable[[Heard], Reply]


def _sender_fault(_heard: Heard) -> Reply:
    return Reply(fault("Sender"), status=400)


def _receiver_fault(_heard: Heard) -> Reply:
    return Reply(fault("Receiver"), status=500)


def _hangs(_heard: Heard) -> Reply:
    return Reply(b"", delay_seconds=60)


def _one_of_two(heard: Heard) -> Reply:
    first = next(iter(DOCUMENTS))
    partly = RegistryResponse(ResponseStatus.SUCCESS)
    return retrieved_reply(heard, {first: lakeshore.demo_document(DOCUMENTS[first])}, partly)


HOW: Final[dict[str, Answering | None]] = {
    "success": None,
    "partial": _one_of_two,
    "refused": _sender_fault,
    "failed": _receiver_fault,
    "late": _hangs,
    "unknown": None,
}
REASONS: Final = {
    "success": None,
    "partial": "partial: 1 missing",
    "refused": "it answered with a SOAP fault (Sender)",
    "failed": "it answered with a SOAP fault (Receiver)",
    "late": "no answer within ",
    "unknown": exchange_log.INTERRUPTED,
}
WELL: Final = {
    "ITI-55": "judged: match (96)",
    "ITI-56": "it says that the member is known to 2.999.7309.1",
    "ITI-38": "2 documents listed",
    "ITI-39": None,
}
"""What is concluded where all went well."""
ASKED_BY_US: Final = [
    (name, how) for name in sorted(SENT_BY_US) for how in (*OUT, *ALSO.get(name, ()))
]


@pytest.mark.parametrize(("name", "how"), ASKED_BY_US)
def test_what_we_ask_leaves_one_record(name: str, how: str, tmp_path: Path) -> None:
    with _asked(tmp_path, name, how) as (house, script, retrieval):
        found = [one for one in calls(house) if one.transaction == name]
        # What did not come is asked for again, alone; a list that is late, in windows.
        if how == "partial" or (name, how) == ("ITI-38", "late"):
            found = found[:1]
        (record,) = found
        order = retrieval_of(house, retrieval)
        came = tuple(one.id for one in documents(house))
        assert house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
    assert record.outcome == ("failed" if how == "late" else how)
    if REASONS[how] is None:
        assert record.reason == WELL[name]
    else:
        assert REASONS[how] in (record.reason or "")
    endpoint = name.lower().replace("-", "")
    given = {
        "direction": "out",
        "transaction": name,
        "outcome": record.outcome,
        "plan": PLAN,
        "partner": script.partner.id,
        "peer": getattr(script.partner.endpoints, endpoint),
        "person": "Nora Nurse",
        "role": "care manager",
        "purpose": "PAYMENT",
        "authority": "urn:oid:2.999.7300.9",
        "member": ASKED_FOR.id,
        "documents": came if name == "ITI-39" and how in ("success", "partial") else (),
        "conversation": order.conversation,
        "message_id": _message_id(script, name),
    }
    assert _facts(record) == _facts(_as_record(given))


@contextmanager
def _asked(folder: Path, name: str, how: str) -> Iterator[tuple[House, Script, Any]]:
    """The house after a retrieval in which that transaction ended so."""
    verb = name.replace("-", "_")
    cut: list[Path] = []

    def pull_the_plug(heard: Heard) -> Reply:
        """What lies on disk while the partner has our request and we have no answer."""
        shutil.copytree(folder / "plan", folder / "cut", dirs_exist_ok=True)
        cut.append(folder / "cut")
        return Reply(fault("Receiver"), status=500)

    answer = pull_the_plug if how == "unknown" else HOW[how]
    script_of = {} if answer is None else {verb: answer}
    seconds = 2.0 if how == "late" else 20.0
    profile = PartnerProfile(timeout_seconds=seconds, health_data_locator=True)
    if name == "ITI-56":
        script_of["ITI_55"] = _at_a_locator
    with scripted(profile=profile, **script_of) as script:
        with asking_house(folder / "plan", [script.partner]) as house:
            retrieval = new_retrieval(house)
            asyncio.run(run_retrieval(house, retrieval))
            if not cut:
                assert open_rows(house) == 0
                yield house, script, retrieval
        if cut:
            with asking_house(cut[0], [], member=None) as house:
                assert open_rows(house) == 1
                house.database.write(lambda tx: exchange_log.recover(tx, now=datetime.now(UTC)))
                yield house, script, retrieval


def _message_id(script: Script, name: str) -> str | None:
    """By which the partner knows the first request of that transaction."""
    kind, content = script.packages[script.heard.index(name.replace("-", "_"))]
    return read_unopened(envelope_in(content, kind)).message_id
