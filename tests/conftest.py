"""The one hook: every message emitted in the suite is valid, or the test that emitted it fails.

Nothing leaves this house without a Security header (DECISIONS 4), so the two functions that write
one are where all our envelopes pass: `ihe.wire` and zeep's seam both end there. They are wrapped
here, before any other module has imported them, and so is what puts a written payload into an
envelope. Documents of our own pass through `ccda.writer`.
The schemas lie beside the checkout; without them only form is looked at.

A test that has to emit something wrong says so: `@pytest.mark.emits_invalid("why")`.
"""

import functools
import gc
import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from lxml import etree

from tests.conformance import assert_valid_clinical_document
from tests.emitted import Emitted
from tests.ihe_conformance import assert_valid_body

MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 4 * 1024**3
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
    # The suite syncs thousands of times, which takes minutes on a slow disk. No test can see what
    # a sync does to one: they kill processes, and what a process wrote outlives it here too.
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None

# How long an example takes says something of the machine, not of the code. The same examples every
# time: what passed here passes there, and a change that fails a test is what made it fail. New ones
# are drawn with ARGS="--hypothesis-profile drawn", and by the thousand with `make fuzz`.
UNTIMED = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("drawn", UNTIMED)
hypothesis.settings.register_profile("same", UNTIMED, derandomize=True)
hypothesis.settings.load_profile("same")

assert "ihe.wire" not in sys.modules, "the hook must come before whoever seals messages"
ws_security = importlib.import_module("ihe.ws_security")
soap = importlib.import_module("ihe.soap")
migrations = importlib.import_module("gateway.store.migrations")

PUBLIC_SAMPLES = Path(__file__).resolve().parents[2] / "shared/samples"
# Whose tests mostly wait for processes: begun first, they wait while others compute.
WAITING = frozenset(
    Path(__file__).parent / one
    for one in (
        "flows/test_crash.py",
        "flows/test_crash_postgresql.py",
        "flows/test_demo.py",
        "flows/test_direct_kill.py",
        "gateway/cli/test_partner_check.py",
        "gateway/demo/test_deferred_moods.py",
        "gateway/demo/test_moods.py",
        "gateway/intakes/test_mail_kill.py",
        "gateway/test_app.py",
        "gateway/test_mail_process.py",
        "gateway/test_partner_processes.py",
    )
)
BODY = "{http://www.w3.org/2003/05/soap-envelope}Body"


class Violations:
    """What was emitted wrong since somebody looked; listeners emit from threads of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[str] = []

    def check(self, assertion: Callable[[Any], None], emitted: Any) -> None:
        try:
            assertion(emitted)
        except AssertionError as error:
            with self._lock:
                self._found.append(str(error))

    def taken(self) -> list[str]:
        with self._lock:
            found, self._found = self._found, []
        return found


VIOLATIONS = Violations()
EMITTED = Emitted()


# ---- where messages leave --------------------------------------------------------------------


def _checking_envelope(sign: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(sign)
    def signed(envelope: etree._Element, **arguments: Any) -> Any:
        for body in envelope.iterchildren(BODY):
            for payload in body.iterchildren("*"):
                _check_payload(payload)
        return sign(envelope, **arguments)

    return signed


def _checking_written(write: Callable[..., bytes]) -> Callable[..., bytes]:
    @functools.wraps(write)
    def write_answer(addressing: Any, blocks: str, payload: Any) -> bytes:
        _check_payload(etree.fromstring(payload.xml))
        return write(addressing, blocks, payload)

    return write_answer


def _check_payload(payload: etree._Element) -> None:
    if not _is_placeholder(payload):
        VIOLATIONS.check(assert_valid_body, payload)
        EMITTED.note(payload)


def _is_placeholder(payload: etree._Element) -> bool:
    """A bare root: what tests of the envelope alone put where a message would be."""
    return len(payload) == 0 and not payload.attrib and not (payload.text or "").strip()


def _checking_document(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def written(*arguments: Any, **named: Any) -> Any:
        document = write(*arguments, **named)
        VIOLATIONS.check(assert_valid_clinical_document, document)
        return document

    return written


def _copying(upgrading: Callable[..., Any]) -> Callable[..., Any]:
    """Forty steps for each of a thousand new houses were a quarter of the suite: the first of a
    process goes through them, the others copy its file. Whoever has a file goes the whole way."""
    made: list[bytes] = []

    @contextmanager
    def of_one_that_was_made(url: str) -> Generator[Any]:
        file = Path(url.removeprefix("sqlite:///"))
        is_new = url.startswith("sqlite:///") and not file.exists()
        if is_new and made:
            with upgrading(url):
                pass
            file.write_bytes(made[0])
        with upgrading(url) as connection:
            yield connection
        if is_new and not made:
            made.append(file.read_bytes())

    return of_one_that_was_made


def _wrap() -> None:
    ws_security.sign_request = _checking_envelope(ws_security.sign_request)
    soap.write_answer = _checking_written(soap.write_answer)
    migrations._upgrading = _copying(migrations._upgrading)
    if importlib.util.find_spec("ccda.writer") is not None:
        inner = importlib.import_module("ccda.writer.document")
        inner.write_ccd = importlib.import_module("ccda.writer").write_ccd = _checking_document(
            inner.write_ccd
        )


_wrap()


# ---- which test emitted them -----------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "emits_invalid(why): the test emits wrong messages")
    config.addinivalue_line("markers", "public_samples: the test reads messages of other makers")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the public samples beside the checkout, what reads only them is no test at all.

    Of the files those that wait come first, then those with most tests.
    """
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in WAITING, -sizes[item.path]))
    if PUBLIC_SAMPLES.is_dir():
        return
    without = [item for item in items if item.get_closest_marker("public_samples")]
    config.hook.pytest_deselected(items=without)
    items[:] = [item for item in items if item not in without]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Ten thousand tests are there until the end: no collection need look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def violations() -> Violations:
    """What the hook has found: for tests of the hook itself."""
    return VIOLATIONS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _nothing_invalid(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _nothing_invalid(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    return (yield from _nothing_invalid(item))


def _nothing_invalid(item: pytest.Item) -> Generator[None, Any, Any]:
    result = yield
    found = VIOLATIONS.taken()
    meant = item.get_closest_marker("emits_invalid") is not None
    EMITTED.keep(valid=not found and not meant)
    if found and not meant:
        raise AssertionError("an invalid message was emitted:\n" + "\n".join(found))
    return result
