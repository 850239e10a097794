"""`gateway serve` with several processes that answer partners at one address, as one gateway."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import pytest

from gateway.app.house import open_house as open_gateway
from gateway.settings import Listen, Settings
from gateway.store import exchange_log
from ihe.soap import ITI_38_REQUEST
from ihe.stored_query import FindDocumentsQuery
from ihe.xca_query import write_adhoc_query_request
from tests.gateway.asking import ask, patient_id
from tests.gateway.house import a_partner, a_rule, client_context, open_house, records
from tests.gateway.test_app import listening, served, toml
from tests.gateway.test_mail_process import children, running, until

_CONNECTIONS = 24


@pytest.fixture
def given(tmp_path: Path) -> Settings:
    """A house with a member's documents, which two processes give to the partner."""
    listen = listening().model_copy(update={"partner_processes": 2})
    with open_house(tmp_path / "house", rules=[a_rule()], listen=listen) as house:
        return house.settings


@contextmanager
def connected(given: Settings, count: int) -> Iterator[Sequence[HTTPSConnection]]:
    port = given.listen.partners.rpartition(":")[2]
    context = client_context(a_partner().name)
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            one = HTTPSConnection("localhost", int(port), timeout=30, context=context)
            stack.callback(one.close)
            one.connect()
            found.append(one)
        yield found


def query() -> bytes:
    body = write_adhoc_query_request(FindDocumentsQuery(patient_id=patient_id()))
    return ask(body, ITI_38_REQUEST).envelope


def answer(connection: HTTPSConnection, envelope: bytes) -> tuple[int, bytes]:
    connection.request("POST", "/ihe/xca", envelope, {"Content-Type": "application/soap+xml"})
    response = connection.getresponse()
    return response.status, response.read()


def sockets_at(given: Settings, process: int) -> int:
    """How many sockets it holds at the partners' address: what it listens on, and connections."""
    port = f"{int(given.listen.partners.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1].endswith(f":{port}")}
    held = set()
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            held.add(os.readlink(link).removeprefix("socket:[").removesuffix("]"))
    return len(inodes & held)


def is_shared_with(given: Settings, child: int) -> bool:
    """Whether of four connections the child has taken one."""
    try:
        with connected(given, 4):
            return sockets_at(given, child) > 1
    except OSError:
        return False


def is_answered(given: Settings) -> bool:
    try:
        with connected(given, 1) as (one,):
            return answer(one, query())[0] == 200
    except (OSError, HTTPException):
        return False


def test_processes_answer_as_one_and_one_that_dies_comes_back(
    given: Settings, tmp_path: Path
) -> None:
    with served(given, tmp_path) as process:
        until(lambda: len(children(process.pid, "partners")) == 1, "the second did not start")
        (child,) = children(process.pid, "partners")
        until(lambda: is_shared_with(given, child), "the second takes no connections")
        with connected(given, _CONNECTIONS) as connections:
            envelopes = [query() for _ in connections]
            answers = [answer(*pair) for pair in zip(connections, envelopes, strict=True)]
            assert {status for status, _ in answers} == {200}
            assert all(body.count(b"<rim:ExtrinsicObject ") == 3 for _, body in answers)
            # Beside them each has the socket that listens.
            found = [sockets_at(given, one) - 1 for one in (process.pid, child)]
            assert sum(found) == _CONNECTIONS
            # How evenly is `test_sharing`'s to show: a busy machine lets one of them wait.
            assert min(found) > 0
            # What one of them has heard, the others will not hear again.
            again = [answer(one, envelopes[0]) for one in connections]
            assert {status for status, _ in again} == {400}
        os.kill(child, signal.SIGKILL)
        until(lambda: _another(process.pid, child) is not None, "it did not come back")
        until(lambda: is_answered(given), "partners are not answered")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert children(process.pid, "partners") == []
    with open_gateway(given) as house:
        assert house.database.read(exchange_log.verify).first_bad is None
        found = [one for one in records(house) if one.transaction == "ITI-38"]
    refused = [one.reason for one in found if one.outcome == "refused"]
    assert refused == ["the message was received before"] * _CONNECTIONS
    assert len(found) == 2 * _CONNECTIONS + 1


def _another(process: int, child: int) -> int | None:
    return next((one for one in children(process, "partners") if one != child), None)


def test_one_that_has_stopped_is_not_waited_for(given: Settings, tmp_path: Path) -> None:
    """It has the fewest connections, and takes none: what the others leave to it, they take."""
    with served(given, tmp_path) as process:
        until(lambda: len(children(process.pid, "partners")) == 1, "the second did not start")
        (child,) = children(process.pid, "partners")
        until(lambda: is_shared_with(given, child), "the second takes no connections")
        os.kill(child, signal.SIGSTOP)
        try:
            with connected(given, 6) as connections:
                answers = [answer(one, query()) for one in connections]
                assert sockets_at(given, process.pid) - 1 == len(connections)
        finally:
            os.kill(child, signal.SIGCONT)
        assert {status for status, _ in answers} == {200}


def test_partners_alone_may_be_served(given: Settings, tmp_path: Path) -> None:
    with running(toml(given, tmp_path / "gateway.toml"), "--only", "partners") as process:
        until(lambda: is_answered(given), "partners are not answered")
        assert children(process.pid, "partners") == []
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in printed


def test_a_socket_file_has_one_process() -> None:
    with pytest.raises(ValueError, match="a socket file is listened on by one"):
        Listen(partners="unix:/run/gateway.sock", partner_processes=2)
