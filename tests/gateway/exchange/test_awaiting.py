"""A partner that answers later: each question is asked once, and the retrieval goes on."""

import asyncio
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from gateway.model.retrieval import PartnerProgress
from gateway.store import partners
from gateway.store.evidence import Evidence, evidence
from ihe.discovery import MoreDemographicsRequested, NoMatch
from ihe.registry_response import ErrorCode, RegistryResponse, ResponseStatus
from ihe.xca_retrieve import read_retrieve_request
from ihe.xcpd import read_discovery_request
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    asking_house,
    assert_sound,
    calls,
    retrieval_of,
    retrieve,
    work_off,
)
from tests.gateway.clients.later_partner import Later, later
from tests.gateway.clients.scripted_partner import (
    NAME,
    Heard,
    Reply,
    discovered,
    listed,
    retrieved,
    scripted,
)
from tests.gateway.clients.test_misbehaving_partners import fault
from tests.gateway.exchange.one_partner import an_error


def all_the_way(there: Later) -> PartnerProgress:
    """Answers well, one after the other, whatever is still to be answered."""
    done = 0
    there.ask()
    while there.row.outcome is None:
        assert done < len(there.heard), "nothing was asked, and nothing ended"
        while done < len(there.heard):
            assert there.answer(done).status == 202
            done += 1
        there.work()
    return there.row


def recorded(there: Later) -> list[tuple[str, str, str | None]]:
    return [(one.transaction, one.outcome, one.reason) for one in calls(there.house)]


def test_every_request_names_our_own_door_and_each_has_one_record(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        row = all_the_way(there)
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 2, 2)
        base = there.house.settings.replies_at
        for transaction, heard in there.heard:
            door = "xcpd" if transaction == "ITI_55" else "xca"
            assert f"<wsa:Address>{base}/{door}</wsa:Address>".encode() in heard.envelope
        assert recorded(there) == [
            ("ITI-55", "success", "judged: match (96)"),
            ("ITI-38", "success", "2 documents listed"),
            ("ITI-39", "success", None),
        ]
        assert retrieval_of(there.house, there.retrieval).state == "done"
        rows = lakeshore.rows_of(there.house, "awaited_answer")
        assert {(one["state"], one["answer"]) for one in rows} == {("settled", None)}
        assert lakeshore.rows_of(there.house, "visit_claim") == []
        assert_sound(there.house)


def test_batches_are_all_asked_at_once_and_answered_in_any_order(tmp_path: Path) -> None:
    with later(tmp_path, documents_per_retrieve=1) as there:
        there.ask()
        for number in (0, 1):
            there.answer(number)
            there.work()
        assert [transaction for transaction, _ in there.heard[2:]] == ["ITI_39", "ITI_39"]
        assert there.answer(3).status == 202
        there.work()
        assert (there.row.outcome, there.row.documents_new) == (None, 1)
        assert there.answer(2).status == 202
        there.work()
        row = there.row
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 2, 2)
        assert row.documents_missing == 0
        assert len(there.heard) == 4  # nothing was asked twice
        assert_sound(there.house)


def test_what_is_missing_in_one_batch_is_counted_once_whatever_comes_after(
    tmp_path: Path,
) -> None:
    nothing = RegistryResponse(ResponseStatus.FAILURE, (an_error(ErrorCode.DOCUMENT_UNIQUE_ID),))
    with later(tmp_path, documents_per_retrieve=1) as there:
        there.ask()
        for number in (0, 1):
            there.answer(number)
            there.work()
        there.answer(2, retrieved(there.heard[2][1], {}, outcome=nothing))
        there.work()
        there.answer(3)
        there.work()
        row = there.row
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 2, 1)
        assert row.documents_missing == 1
        assert "partial: 1 missing" in (row.detail or "")
        assert "XDSDocumentUniqueIdError: it no longer has" in (row.detail or "")
        assert len(there.heard) == 4
        assert [outcome for _, outcome, _ in recorded(there)] == [
            "success", "success", "failed", "success",
        ]  # fmt: skip
        assert_sound(there.house)


def test_a_batch_that_is_too_much_is_asked_for_again_in_halves(tmp_path: Path) -> None:
    too_much = RegistryResponse(ResponseStatus.FAILURE, (an_error(ErrorCode.REPOSITORY_ERROR),))
    with later(tmp_path) as there:
        there.ask()
        for number in (0, 1):
            there.answer(number)
            there.work()
        there.answer(2, retrieved(there.heard[2][1], {}, outcome=too_much))
        there.work()
        sizes = [len(read_retrieve_request(heard.body).documents) for _, heard in there.heard[2:]]
        assert sizes == [2, 1, 1]
        for number in (3, 4):
            there.answer(number)
            there.work()
        row = there.row
        assert (row.outcome, row.documents_new, row.documents_missing) == ("matched", 2, 0)
        assert_sound(there.house)


def test_more_demographics_are_given_later_too(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        more = MoreDemographicsRequested(("SSNRequested",))
        there.answer(0, Reply(discovered(there.heard[0][1], more)))
        there.work()
        assert (there.row.outcome, len(there.heard)) == ("no_match", 1)  # the roster has no SSN
        assert there.row.detail == "it asks for more: SSNRequested; we do not know the SSN"


def test_a_fault_as_answer_ends_the_visit_with_one_record(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        _, heard = there.heard[0]
        relates = heard.envelope.partition(b"<wsa:MessageID>")[2].partition(b"<")[0]
        header = (
            b'<s:Header xmlns:a="http://www.w3.org/2005/08/addressing"><a:Action>'
            b"http://www.w3.org/2005/08/addressing/soap/fault</a:Action><a:RelatesTo>"
            + relates
            + b"</a:RelatesTo></s:Header>"
        )
        said = fault("Sender").replace(b"<s:Body>", header + b"<s:Body>")
        assert there.answer(0, Reply(said)).status == 202
        there.work()
        detail = "it answered with a SOAP fault (Sender)"
        assert (there.row.outcome, there.row.detail) == ("refused", detail)
        assert recorded(there) == [("ITI-55", "refused", detail)]
        assert_sound(there.house)


def test_no_match_ends_it_at_the_first_answer(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        there.answer(0, Reply(discovered(there.heard[0][1], NoMatch())))
        there.work()
        assert there.row.outcome == "no_match"
        assert retrieval_of(there.house, there.retrieval).state == "done"


def test_a_partner_that_never_answers_is_late_with_a_record(tmp_path: Path) -> None:
    with later(tmp_path, answer_within_seconds=0.3) as there:
        there.ask()
        there.work_until_ended()
        late = "no answer came within 0.3 s"
        assert (there.row.outcome, there.row.detail) == ("late", late)
        assert recorded(there) == [("ITI-55", "failed", late)]
        assert retrieval_of(there.house, there.retrieval).state == "failed"
        assert_sound(there.house)


def test_an_answer_on_the_connection_that_asked_is_taken_all_the_same(tmp_path: Path) -> None:
    at_once = {
        "ITI_55": lambda heard: Reply(discovered(heard)),
        "ITI_38": lambda heard: Reply(listed(heard)),
        "ITI_39": retrieved,
    }
    with later(tmp_path, at_once=at_once) as there:
        there.ask()
        row = there.row
        assert (row.outcome, row.documents_found, row.documents_new) == ("matched", 2, 2)
        assert len(recorded(there)) == 3
        assert_sound(there.house)


def test_a_request_that_is_not_taken_has_its_record_at_once(tmp_path: Path) -> None:
    crossed: list[bytes] = []

    def refuse(heard: Heard) -> Reply:
        crossed.extend((heard.envelope, fault("Receiver")))
        return Reply(crossed[1], status=500)

    with later(tmp_path, at_once={"ITI_38": refuse}) as there:
        there.ask()
        there.answer()
        there.work()
        detail = "it answered with a SOAP fault (Receiver)"
        assert (there.row.outcome, there.row.detail) == ("failed", detail)
        assert recorded(there) == [
            ("ITI-55", "success", "judged: match (96)"),
            ("ITI-38", "failed", detail),
        ]
        failed = calls(there.house)[-1]
        named = [failed.request_hash, failed.answer_hash]
        assert named == [sha256(envelope).hexdigest() for envelope in crossed]
        assert there.house.database.read(lambda tx: evidence(tx, ())) == Evidence((), 0)
        assert_sound(there.house)


def test_without_an_address_of_our_own_nothing_is_sent(tmp_path: Path) -> None:
    with scripted() as script:
        profile = replace(script.partner.profile, asynchronous=True)
        with asking_house(tmp_path, [replace(script.partner, profile=profile)]) as house:
            row = retrieve(house)[NAME]
            detail = "it answers later, and our own address for that is not set"
            assert (row.outcome, row.detail) == ("failed", detail)
            assert script.heard == []


def test_a_restart_between_request_and_answer_costs_nothing(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        assert there.answer().status == 202
        listen = there.house.settings.listen
        retrieval = there.retrieval
        # Another process on the same data, as after a restart; the first one does nothing more.
        with asking_house(tmp_path, member=None, listen=listen) as restarted:
            asyncio.run(work_off(restarted))
            assert [one.transaction for one in calls(restarted)] == ["ITI-55"]
            assert there.heard[-1][0] == "ITI_38"
            assert retrieval_of(restarted, retrieval).state == "running"


def test_a_partner_taken_out_of_the_directory_does_not_keep_the_retrieval_open(
    tmp_path: Path,
) -> None:
    with later(tmp_path) as there:
        there.ask()
        partner = there.script.partner.id
        there.answer()
        there.house.database.write(lambda tx: partners.remove(tx, plan="acme", partner=partner))  # type: ignore[arg-type]
        there.work()
        assert (there.row.outcome, there.row.detail) == (
            "failed",
            "it is no longer in the directory",
        )
        assert retrieval_of(there.house, there.retrieval).state == "failed"


def test_the_first_request_names_no_more_than_is_needed(tmp_path: Path) -> None:
    with later(tmp_path) as there:
        there.ask()
        asked = read_discovery_request(there.heard[0][1].body)
        assert asked.demographics.names and asked.demographics.addresses
        assert asked.minimum_degree_match == 50
