"""The hook of conftest.py catches what it is there for (DECISIONS 29)."""

import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lxml import etree

from ihe.soap import ITI_38_ANSWER, ITI_38_REQUEST, WrittenPayload
from ihe.wire import seal_answer, seal_request
from tests.certificates import NOW
from tests.ihe_conformance import SCHEMAS
from tests.ihe_messages import an_assertion, partner

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS_ARE_HERE = SCHEMAS.is_dir()
A_TEST = """
import pytest
from tests.test_every_message import answer_with, an_invalid_body

def test_it_is_refused():
    answer_with(an_invalid_body())

@pytest.mark.emits_invalid("to show how")
def test_it_is_meant():
    answer_with(an_invalid_body())

def test_the_next_one_is_not_blamed():
    pass
"""


def an_invalid_body() -> etree._Element:
    return etree.Element(ITI_38_ANSWER.root, status="fine")


def answer_with(body: etree._Element | WrittenPayload) -> None:
    seal_answer(
        body,
        kind=ITI_38_ANSWER,
        relates_to="urn:uuid:1",
        message_id="urn:uuid:2",
        confirmations=(),
        signing_key=None,
        now=NOW,
    )


def test_an_invalid_answer_is_noticed(violations: Any) -> None:
    answer_with(an_invalid_body())
    assert len(violations.taken()) == SCHEMAS_ARE_HERE


def test_an_invalid_answer_that_was_written_before_is_noticed(violations: Any) -> None:
    body = an_invalid_body()
    answer_with(WrittenPayload(str(body.tag), etree.tostring(body)))
    assert len(violations.taken()) == SCHEMAS_ARE_HERE


def test_an_invalid_request_is_noticed(violations: Any) -> None:
    seal_request(
        etree.Element(ITI_38_REQUEST.root, federated="maybe"),
        kind=ITI_38_REQUEST,
        to="https://partner.example",
        message_id="urn:uuid:1",
        assertion=an_assertion(),
        signing_key=partner().signing_key,
        now=NOW,
    )
    assert len(violations.taken()) == SCHEMAS_ARE_HERE


def test_the_zeep_path_signs_by_the_function_that_is_watched() -> None:
    from gateway.clients import soap_client
    from ihe import wire, ws_security

    for module in (soap_client, wire):
        assert module.sign_request is ws_security.sign_request
    assert ws_security.sign_request.__wrapped__.__module__ == "ihe.ws_security"


def test_documents_of_our_own_are_watched() -> None:
    if find_spec("ccda.writer") is not None:
        writers = [import_module("ccda.writer"), import_module("ccda.writer.document")]
        assert writers[0].write_ccd is writers[1].write_ccd
        assert writers[0].write_ccd.__wrapped__.__module__ == "ccda.writer.document"


def test_the_test_that_emitted_fails_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_emitting.py").write_text(A_TEST, encoding="utf-8")
    arguments = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "--rootdir", ROOT, "-rA", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ("an invalid message was emitted" in run.stdout) is SCHEMAS_ARE_HERE
    outcome = "FAILED" if SCHEMAS_ARE_HERE else "PASSED"
    assert f"{outcome} test_emitting.py::test_it_is_refused" in run.stdout
    assert ("1 failed, 2 passed" if SCHEMAS_ARE_HERE else "3 passed") in run.stdout
