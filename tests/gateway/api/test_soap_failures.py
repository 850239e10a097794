"""When it is we who fail: a Receiver fault, a record that says so, and no word of why."""

import http.client
import logging
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.app.house import House
from gateway.model.document import Document
from gateway.model.exchange import Exchange
from ihe.soap import ITI_39_REQUEST, ITI_55_REQUEST
from ihe.wire import SealedRequest
from tests.gateway.api.soap_place import Place, a_place, says_nothing
from tests.gateway.asking import ask, discovery, fault_of, retrieve
from tests.gateway.house import MEMBER, Reply, demo_document, documents, file, records, rows_of

CANNOT = "The gateway cannot answer now."


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as place:
        yield place


def break_table(house: House, table: str) -> None:
    """As if another program had damaged the database."""
    statement = text(f"ALTER TABLE {table} RENAME TO lost_{table}")
    house.database.write(lambda tx: tx.connection.execute(statement))


def could_not(reply: Reply, sealed: SealedRequest) -> None:
    fault = fault_of(reply)
    assert (reply.status, fault.code, fault.sentence) == (500, "soap:Receiver", CANNOT)
    assert (fault.relates_to, fault.confirmed[0]) == (sealed.message_id, sealed.signature_values[0])
    says_nothing(reply)


def of_message(house: House, sealed: SealedRequest) -> list[Exchange]:
    return [one for one in records(house) if one.message_id == sealed.message_id]


def test_a_failure_after_the_sender_is_known_is_recorded_as_failed(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    break_table(place.house, "member_key")
    sealed = ask(discovery(), ITI_55_REQUEST)
    could_not(place.door.post("/ihe/xcpd", sealed.envelope), sealed)
    (record,) = of_message(place.house, sealed)
    assert (record.outcome, record.reason, record.person) == ("failed", CANNOT, "Nora Nurse")
    assert (record.member, record.documents) == (None, ())
    logged = [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
    assert [entry.name for entry in logged] == ["gateway"]
    assert "OperationalError" in logged[0].getMessage() and logged[0].exc_info is None
    assert "Sampleton" not in caplog.text and "SELECT" not in caplog.text


def test_a_failed_message_may_be_sent_again(place: Place) -> None:
    """It was never answered, so its second coming is no replay."""
    break_table(place.house, "member_key")
    sealed = ask(discovery(), ITI_55_REQUEST)
    could_not(place.door.post("/ihe/xcpd", sealed.envelope), sealed)
    statement = text("ALTER TABLE lost_member_key RENAME TO member_key")
    place.house.database.write(lambda tx: tx.connection.execute(statement))
    assert place.door.post("/ihe/xcpd", sealed.envelope).status == 200
    assert [one.outcome for one in of_message(place.house, sealed)] == ["failed", "success"]


def test_a_failure_before_the_sender_is_known_is_counted(place: Place) -> None:
    break_table(place.house, "partner")
    sealed = ask(discovery(), ITI_55_REQUEST)
    reply = place.door.post("/ihe/xcpd", sealed.envelope)
    fault = fault_of(reply)
    assert (reply.status, fault.code, fault.sentence) == (500, "soap:Receiver", CANNOT)
    assert [row["reason"] for row in rows_of(place.house, "refusal")] == [CANNOT]


@pytest.mark.parametrize("table", ["replay", "exchange"])
def test_nothing_is_given_that_cannot_be_recorded(place: Place, table: str) -> None:
    break_table(place.house, table)
    sealed = ask(discovery(), ITI_55_REQUEST)
    could_not(place.door.post("/ihe/xcpd", sealed.envelope), sealed)


def test_a_refusal_that_cannot_be_counted_is_still_a_fault(place: Place) -> None:
    break_table(place.house, "refusal")
    reply = place.door.post("/ihe/xcpd", b"hello")
    fault = fault_of(reply)
    assert (reply.status, fault.code, fault.sentence) == (500, "soap:Receiver", CANNOT)


# ---- an answer that does not arrive ----------------------------------------------------------


def broken_off(place: Place, sealed: SealedRequest) -> tuple[Exchange, Exchange]:
    """The answer's record, and the one of what became of it, which comes when it comes."""
    deadline = time.monotonic() + 20
    while len(of_message(place.house, sealed)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    answered, broken = of_message(place.house, sealed)
    assert answered.outcome == "success" and len(answered.documents) == 1
    assert (broken.outcome, broken.documents) == ("failed", answered.documents)
    assert (broken.member, broken.plan, broken.person) == (MEMBER.id, MEMBER.plan, "Nora Nurse")
    return answered, broken


def ours(house: House) -> Document:
    return next(one for one in documents(house) if one.type_code == "11488-4")


def test_a_document_that_is_lost_is_a_failure_before_anything_is_given(place: Place) -> None:
    shutil.rmtree(place.house.settings.data_dir / "blobs")
    sealed = ask(retrieve(ours(place.house)), ITI_39_REQUEST)
    could_not(place.door.post("/ihe/xca", sealed.envelope), sealed)
    (record,) = of_message(place.house, sealed)
    assert (record.outcome, record.documents) == ("failed", ())


def test_a_document_that_is_damaged_cuts_the_answer_and_is_recorded(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    document = ours(place.house)
    damage(place.house, document.blob.address)
    sealed = ask(retrieve(document), ITI_39_REQUEST)
    with pytest.raises(http.client.IncompleteRead):
        place.door.post("/ihe/xca", sealed.envelope)
    _, broken = broken_off(place, sealed)
    assert broken.reason == "the transfer failed: DamagedBlob"
    assert "Traceback" not in caplog.text


def damage(house: House, address: str) -> None:
    (blob,) = (house.settings.data_dir / "blobs").rglob(f"{address[2:]}*")
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(content)


def test_a_partner_that_goes_away_during_the_answer_is_recorded(place: Place) -> None:
    big = file(place.house, a_big_document()).document
    assert big.state == "filed"
    sealed = ask(retrieve(big), ITI_39_REQUEST)
    with place.door.connected() as connection:
        head = "POST /ihe/xca HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n"
        length = f"Content-Length: {len(sealed.envelope)}\r\n\r\n"
        connection.sendall((head + length).encode() + sealed.envelope)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    _, broken = broken_off(place, sealed)
    assert broken.reason == "the partner broke off the transfer"


def a_big_document() -> bytes:
    """More than the buffers of a connection hold, and nothing that could be compressed."""
    small = demo_document("lakeshore_unstructured.xml").replace(b"699305", b"699306")
    return small + b"<!--" + secrets.token_hex(12_000_000).encode() + b"-->"
