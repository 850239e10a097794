"""`gateway serve` as a process: it starts, it is told to stop, it starts again."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from gateway.app.house import House, open_house
from gateway.settings import KeyPair, Listen, Settings
from gateway.store import tokens
from gateway.store.key_file import create_key_file
from tests.gateway import house as lakeshore
from tests.gateway.cli.terminal import run
from tests.gateway.clients.asking_house import (
    PLAN,
    answers,
    asking_house,
    assert_sound,
    calls,
    enqueue,
    new_retrieval,
    open_rows,
    retrieval_of,
    settings,
)
from tests.gateway.clients.scripted_partner import NAME, Heard, Reply, discovered, scripted

ROOT = Path(__file__).resolve().parents[2]

# Made once: a question makes one of its own otherwise, and reads every root certificate for it.
_NO_TLS = ssl.create_default_context()


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def listening() -> Listen:
    plans = free_address()
    return Listen(partners=free_address(), plans=plans, operations=plans)


def toml(given: Settings, file: Path) -> Path:
    """The settings as a file; a JSON string is a TOML string too."""
    top = ("home_community_id", "organization", "data_dir", "key_file")
    lines = ["[gateway]", *(f"{name} = {json.dumps(str(getattr(given, name)))}" for name in top)]
    lines += [
        "[listen]",
        *(
            f"{name} = {json.dumps(value)}"
            for name, value in given.listen.model_dump(exclude_none=True).items()
        ),
    ]
    for name in ("tls", "signing"):
        pair: KeyPair | None = getattr(given, name)
        if pair is not None:
            lines += [f"[{name}]", f'certificate = "{pair.certificate}"', f'key = "{pair.key}"']
    for plan in given.plans:
        lines += ["[[plans]]", f'id = "{plan.id}"', f'name = "{plan.name}"']
        lines += [f'member_id_root = "{plan.member_id_root}"'] if plan.member_id_root else []
        lines += [f'authority = "{plan.authority}"'] if plan.authority else []
    for network in given.networks:
        anchors = json.dumps([str(path) for path in network.anchors])
        lines += ["[[networks]]", f'name = "{network.name}"', f"anchors = {anchors}"]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def start(given: Settings, folder: Path, command: str = "serve") -> subprocess.Popen[str]:
    config = toml(given, folder / "gateway.toml")
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", command, "--config", str(config)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def served(given: Settings, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The gateway up as a process; it is gone when the block ends, however that ends."""
    with start(given, folder) as process:
        try:
            deadline = time.monotonic() + 60
            while not _is_ready(given):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def _is_ready(given: Settings) -> bool:
    try:
        address = f"http://{given.listen.operations}/health/ready"
        return httpx.get(address, trust_env=False, verify=_NO_TLS).status_code == 200
    except httpx.HTTPError:
        return False


UNHURRIED = 15
"""Seconds: whoever waits for connections to end takes twenty."""


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> float:
    """How long it took to end; it must have ended well and said nothing of a fault."""
    started = time.monotonic()
    process.send_signal(number)
    printed, _ = process.communicate(timeout=30)
    took = time.monotonic() - started
    assert process.returncode == 0, printed
    for word in ("Traceback", "Error", "ERROR", "exception"):
        assert word not in printed, printed
    return took


def refused(given: Settings, folder: Path) -> tuple[int, list[str]]:
    """How a gateway that must not start ended: its exit code and what it printed."""
    ended = run("serve", "--config", toml(given, folder / "gateway.toml"))
    return ended.exit_code, [*ended.out.splitlines(), *ended.err.splitlines()]


# ---- stopping --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_ends_at_once_when_asked(number: signal.Signals, tmp_path: Path) -> None:
    given = settings(tmp_path, listen=listening())
    with served(given, tmp_path) as process:
        assert stop(process, number) < UNHURRIED


def test_a_retrieval_under_way_is_left_to_the_next_start(tmp_path: Path) -> None:
    waits = iter([60.0, 0.0])

    def slow_once(heard: Heard) -> Reply:
        return Reply(discovered(heard), delay_seconds=next(waits))

    with scripted(ITI_55=slow_once) as script:
        with asking_house(tmp_path, [script.partner]) as house:
            retrieval = new_retrieval(house)
            enqueue(house, retrieval)
        given = settings(tmp_path, listen=listening())
        with served(given, tmp_path) as process:
            _wait(lambda: script.heard == ["ITI_55"])
            assert stop(process) < UNHURRIED
        with asking_house(tmp_path) as house:
            assert [one.outcome for one in calls(house)] == ["unknown"]
            assert_sound(house)
        with served(given, tmp_path) as process:
            with asking_house(tmp_path) as house:
                _wait(lambda: retrieval_of(house, retrieval).state == "done")
            stop(process)
        with asking_house(tmp_path) as house:
            assert answers(house, retrieval)[NAME].documents_new == 2
            assert retrieval_of(house, retrieval).state == "done"
            assert_sound(house)


def test_a_killed_gateway_recovers_at_its_next_start(tmp_path: Path) -> None:
    def hang(_heard: Heard) -> Reply:
        return Reply(b"", delay_seconds=60)

    with scripted(ITI_55=hang) as script:
        with asking_house(tmp_path, [script.partner]) as house:
            enqueue(house, new_retrieval(house))
        given = settings(tmp_path, listen=listening())
        with served(given, tmp_path) as process:
            _wait(lambda: script.heard == ["ITI_55"])
            process.kill()
            process.communicate()
        with served(given, tmp_path) as process:
            with asking_house(tmp_path) as house:
                first = calls(house)[0]
                assert (first.outcome, first.reason) == ("unknown", "interrupted")
            stop(process)
    with asking_house(tmp_path) as house:
        assert open_rows(house) == 0


def test_who_follows_a_retrieval_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with asking_house(tmp_path) as house:
        retrieval = new_retrieval(house)  # never queued, so it never ends
        secret = _token(house)
    given = settings(tmp_path, listen=listening())
    with served(given, tmp_path) as process:
        url = f"http://{given.listen.plans}/api/v1/retrievals/{retrieval}/events"
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.stream("GET", url, headers=headers, trust_env=False) as events:
            assert next(events.iter_lines()).startswith("data: ")
            assert stop(process) < UNHURRIED


def _token(house: House) -> str:
    now = datetime.now(UTC)
    _, secret = house.database.write(
        lambda tx: tokens.create(
            tx, plan=PLAN, name="staff", role="staff", now=now, expires=now + timedelta(days=1)
        )
    )
    return secret


def _wait(condition: object, seconds: float = 30) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# ---- not starting ----------------------------------------------------------------------------


@pytest.mark.parametrize("taken", ["partners", "plans"])
def test_an_address_in_use_is_one_sentence(taken: str, tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        listen = listening().model_copy(update={taken: address})
        if taken == "plans":
            listen = listen.model_copy(update={"operations": address})
        code, printed = refused(settings(tmp_path, listen=listen), tmp_path)
    assert code == 1
    assert printed == [f"gateway: cannot listen: {address}: Address already in use"]


@pytest.mark.parametrize("real", ["0.0.0.0", "[::]", "gateway.example"])  # noqa: S104 - refused
def test_a_real_address_for_plans_needs_tls(real: str, tmp_path: Path) -> None:
    listen = Listen(partners=free_address(), plans=f"{real}:0", operations=free_address())
    given = settings(tmp_path, listen=listen, tls=None, signing=None)
    code, printed = refused(given, tmp_path)
    assert code == 2
    assert "[listen] plans is a real address and needs [tls]" in printed[-1]
    assert "Traceback" not in "".join(printed)


@pytest.mark.parametrize("plans", [None, "0.0.0.0:0"])
def test_a_real_address_for_operations_is_refused(plans: str | None, tmp_path: Path) -> None:
    # Beside that of plans, or the same: with a token or without, everybody would read it.
    listen = Listen(partners=free_address(), plans=plans or free_address(), operations="0.0.0.0:0")
    code, printed = refused(settings(tmp_path, listen=listen), tmp_path)
    assert (code, len(printed)) == (2, 1)
    assert "[listen] operations must be a loopback address" in printed[0]


def test_partners_are_not_listened_to_when_nobody_could_connect(tmp_path: Path) -> None:
    given = settings(tmp_path, listen=listening(), networks=())
    code, printed = refused(given, tmp_path)
    assert (code, len(printed)) == (2, 1)
    assert "nobody could connect" in printed[0]


def test_a_missing_key_is_one_sentence(tmp_path: Path) -> None:
    missing = KeyPair(certificate=tmp_path / "no.pem", key=tmp_path / "no.key")
    code, printed = refused(settings(tmp_path, listen=listening(), signing=missing), tmp_path)
    assert (code, len(printed)) == (2, 1)
    assert "no.key" in printed[0]
    assert lakeshore.US not in printed[0]


# ---- opening ---------------------------------------------------------------------------------


def test_a_house_whose_key_file_is_lost_is_not_given_a_new_one(tmp_path: Path) -> None:
    with asking_house(tmp_path):
        pass
    settings(tmp_path).key_file.unlink()
    code, printed = refused(settings(tmp_path, listen=listening()), tmp_path)
    assert code == 1
    assert "key file" in " ".join(printed)
    assert not settings(tmp_path).key_file.exists()


def test_a_start_broken_off_before_there_is_data_can_be_made_again(tmp_path: Path) -> None:
    given = settings(tmp_path)
    given.key_file.parent.mkdir(parents=True)
    create_key_file(given.key_file)
    before = given.key_file.read_bytes()
    with open_house(given):
        assert given.key_file.read_bytes() == before
