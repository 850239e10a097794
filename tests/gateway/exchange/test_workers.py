"""Worker processes: what loops, swells or dies takes nothing down with it."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ccda.errors import DoctypeRefused, MalformedXml
from ccda.safe_xml import parse_xml
from gateway.exchange.worker_messages import Leaving
from gateway.exchange.workers import Budget, WorkerFailed, WorkerPool

MEGABYTE = 1024 * 1024
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(2, 256 * MEGABYTE, 30.0) as pool:
        yield pool


def failure(pool: WorkerPool, function: object, *args: object) -> str:
    with pytest.raises(WorkerFailed) as failed:
        pool.run(function, *args)  # type: ignore[arg-type]
    return failed.value.reason


def test_a_function_runs_in_another_process(pool: WorkerPool) -> None:
    assert pool.run(os.getpid) not in (os.getpid(), None)


def test_a_worker_is_kept_for_the_next_run(pool: WorkerPool) -> None:
    assert pool.run(os.getpid) == pool.run(os.getpid)


def test_keyword_arguments_reach_the_function(pool: WorkerPool) -> None:
    assert pool.run(sorted, [1, 3, 2], reverse=True) == [3, 2, 1]


def test_a_large_result_comes_back_whole(pool: WorkerPool) -> None:
    assert len(pool.run(bytes, 20 * MEGABYTE)) == 20 * MEGABYTE


def _tag_of(xml: bytes) -> str:
    return str(parse_xml(xml).tag)


def test_an_error_of_a_library_comes_back_as_itself(pool: WorkerPool) -> None:
    with pytest.raises(MalformedXml) as malformed:
        pool.run(parse_xml, b"<a>\n<b></a>")
    assert isinstance(malformed.value.line, int)
    assert str(malformed.value) == str(_own_error())
    with pytest.raises(DoctypeRefused):
        pool.run(parse_xml, b"<!DOCTYPE a><a/>")


def _own_error() -> MalformedXml:
    with pytest.raises(MalformedXml) as malformed:
        parse_xml(b"<a>\n<b></a>")
    return malformed.value


def test_any_other_error_tells_only_its_type(pool: WorkerPool) -> None:
    with pytest.raises(WorkerFailed) as failed:
        pool.run(int, "a secret")
    assert (failed.value.reason, failed.value.detail) == ("error", "ValueError")
    assert "secret" not in repr(failed.value)


def test_a_result_that_cannot_be_sent_is_an_error(pool: WorkerPool) -> None:
    assert failure(pool, re.finditer, "a", "a") == "error"


def test_an_endless_loop_ends_at_the_deadline() -> None:
    with WorkerPool(1, 256 * MEGABYTE, 0.5) as pool:
        before = pool.run(os.getpid)
        started = time.monotonic()
        # Holds the interpreter in C: no signal handler or thread of the worker could stop it.
        assert failure(pool, re.match, r"(a+)+$", "a" * 40 + "b") == "deadline"
        assert time.monotonic() - started < 5
        assert pool.run(os.getpid) != before
        assert not _is_running(before)


def test_a_run_ends_at_its_share_of_the_processor_long_before_the_deadline() -> None:
    with WorkerPool(1, 256 * MEGABYTE, 300.0, cpu_seconds=0.2) as narrow:
        assert failure(narrow, re.match, r"(a+)+$", "a" * 40 + "b") == "deadline"
        # Each run has its share anew, and waiting costs none of it.
        assert [narrow.run(os.getpid) for _ in range(3)]


def test_a_memory_hog_is_stopped_and_replaced(pool: WorkerPool) -> None:
    assert failure(pool, bytearray, 2000 * MEGABYTE) == "memory"
    assert pool.run(len, b"abc") == 3


def test_a_job_too_large_to_hold_is_a_matter_of_memory() -> None:
    with WorkerPool(1, 80 * MEGABYTE, 30.0) as pool:
        assert failure(pool, len, bytes(120 * MEGABYTE)) == "memory"
        assert pool.run(len, b"abc") == 3


def test_xml_that_swells_beyond_the_limit_is_a_matter_of_memory() -> None:
    with WorkerPool(1, 80 * MEGABYTE, 30.0) as pool:
        many = b"<a>" + b"<b/>" * 2_000_000 + b"</a>"
        assert failure(pool, _length_of_tree, many) in ("memory", "crashed")
        assert pool.run(len, b"abc") == 3


def _length_of_tree(xml: bytes) -> int:
    return len(parse_xml(xml))


def test_a_worker_that_kills_itself_is_replaced(pool: WorkerPool) -> None:
    assert failure(pool, os._exit, 3) == "crashed"
    assert failure(pool, os.abort) == "crashed"
    assert pool.run(len, b"abc") == 3


def test_a_worker_that_died_idle_costs_no_run(pool: WorkerPool) -> None:
    os.kill(pool.run(os.getpid), signal.SIGKILL)
    time.sleep(0.1)
    assert pool.run(len, b"abc") == 3


def test_as_many_run_at_once_as_the_pool_has_workers() -> None:
    with WorkerPool(2, 256 * MEGABYTE, 30.0) as pool, ThreadPoolExecutor(6) as threads:
        assert len({*threads.map(lambda _: pool.run(_pid_after, 0.05), range(6))}) <= 2


def _pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


async def test_the_event_loop_goes_on_meanwhile(pool: WorkerPool) -> None:
    running = asyncio.create_task(pool.run_async(_pid_after, 0.3))
    turns = 0
    while not running.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5
    with pytest.raises(MalformedXml):
        await pool.run_async(parse_xml, b"<a")


def test_closing_ends_idle_and_busy_workers() -> None:
    pool = WorkerPool(2, 256 * MEGABYTE, 60.0)
    idle = pool.run(os.getpid)
    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(pool.run, time.sleep, 60) for _ in range(3)]
        while len(_children(os.getpid())) < 1 or not any(run.running() for run in runs):
            time.sleep(0.01)
        time.sleep(1.0)
        pool.close()
        errors = [run.exception(timeout=10) for run in runs]
    assert [error.reason for error in errors if isinstance(error, WorkerFailed)] == ["closed"] * 3
    assert not _is_running(idle)
    assert failure(pool, len, b"") == "closed"
    pool.close()


@pytest.mark.parametrize("busy", ["time.sleep, 60", "re.match, '(a+)+$', 'a' * 40 + 'b'"])
def test_no_worker_outlives_a_killed_parent(busy: str) -> None:
    script = (
        "import os, re, threading, time\n"
        "from gateway.exchange.workers import WorkerPool\n"
        f"pool = WorkerPool(2, {256 * MEGABYTE}, 1.0)\n"
        "print(pool.run(os.getpid), flush=True)\n"
        f"pool.run({busy})\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    assert _is_running(worker)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while _is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(worker)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text(encoding="ascii").split()]


# ---- what several runs share ------------------------------------------------------------------


async def test_runs_share_a_budget_and_none_starts_once_it_is_spent(pool: WorkerPool) -> None:
    budget = Budget(0.3)
    assert await pool.run_within(budget, sum, [1, 2]) == 3
    assert 0.2 < budget.left_seconds < 0.3
    with pytest.raises(WorkerFailed) as failed:
        await pool.run_within(budget, re.match, r"(a+)+$", "a" * 40 + "b")
    assert failed.value.reason == "deadline"
    assert budget.left_seconds <= 0
    before = await pool.run_async(os.getpid)
    with pytest.raises(WorkerFailed) as refused:
        await pool.run_within(budget, os.abort)
    assert refused.value.reason == "deadline"
    assert await pool.run_async(os.getpid) == before  # no worker is replaced for what never ran


async def test_waiting_costs_nothing_of_a_budget(pool: WorkerPool) -> None:
    budget = Budget(0.3)
    await pool.run_within(budget, time.sleep, 0.4)
    assert budget.left_seconds > 0.2


# ---- what is not held here --------------------------------------------------------------------


def _halved(content: bytes, times: int) -> Iterator[bytes | str]:
    """Half of it, as often, and then a word."""
    for _ in range(times):
        yield content[: len(content) // 2]
    yield "done"


def _kept(content: bytes, name: str) -> Leaving[str]:
    return Leaving(f"{name} of {len(content)}", content)


def test_content_goes_over_in_pieces_and_what_is_yielded_comes_one_by_one(
    pool: WorkerPool,
) -> None:
    pieces = (bytes([one]) * MEGABYTE for one in range(4))
    first, second, word = pool.run_on(pieces, _halved, 2)
    assert first == second == bytes(MEGABYTE) + b"\1" * MEGABYTE
    assert word == "done"
    assert pool.run_on(iter(()), len) == 0


async def test_content_that_is_left_aside_is_there_for_a_later_run(pool: WorkerPool) -> None:
    said, left = await pool.run_within(Budget(5.0), _kept, "four", content=iter((b"ab", b"cd")))
    with left:
        assert said == "four of 4"
        assert pool.run_on(left, bytes.upper) == b"ABCD"
        assert pool.run_on(left, bytes.upper) == b"ABCD"


async def test_a_run_that_says_more_than_there_is_room_for_is_refused(pool: WorkerPool) -> None:
    worker = pool.run(os.getpid)
    for function, content in ((bytes.hex, bytes(1000)), (_repeated, b"x")):
        with pytest.raises(WorkerFailed) as failed:
            await pool.run_within(Budget(5.0, 1000), function, content=(content,))
        assert failed.value.reason == "size"
    taken: list[object] = []
    await pool.run_within(Budget(5.0, 1000), _halved, 3, content=(bytes(9000),), take=taken.append)
    assert len(taken) == 4  # bytes are passed on, not held
    assert pool.run(os.getpid) == worker


def _repeated(content: bytes) -> Iterator[str]:
    for _ in range(100):
        yield content.decode() * 50


async def test_what_takes_too_long_here_ends_the_run_too(pool: WorkerPool) -> None:
    with pytest.raises(WorkerFailed) as failed:
        await pool.run_within(Budget(0.2), _repeated, content=(b"x",), take=_work_a_while)
    assert failed.value.reason == "deadline"


def _work_a_while(_item: object) -> None:
    until = time.thread_time() + 0.05
    while time.thread_time() < until:
        pass


async def test_an_error_between_two_things_is_raised_after_the_first(pool: WorkerPool) -> None:
    taken: list[object] = []
    with pytest.raises(MalformedXml):
        await pool.run_within(Budget(5.0), _broken, content=(b"<a",), take=taken.append)
    assert taken == ["first"]
    with pytest.raises(RuntimeError, match="ours"):
        await pool.run_within(Budget(5.0), _repeated, content=(b"x",), take=_fail)
    assert pool.run(len, b"abc") == 3


def _broken(content: bytes) -> Iterator[str]:
    yield "first"
    parse_xml(content)


def _fail(_item: object) -> None:
    raise RuntimeError("ours")
