"""No act of the gateway is new to the tests: by its record's name, its job's kind, its process.

The doors, commands and transactions are walked one by one elsewhere; here everything that the code
can write into a record must be asserted somewhere, so that what is added later fails until it is.
"""

import re
from pathlib import Path
from typing import Final

from gateway.exchange import jobs
from gateway.exchange.atna_acts import START, STOP
from gateway.model.direct_anchors import REFRESH_BUNDLE
from gateway.model.later import BRING_RESULT, DELIVER, GO_ON, RENEW_SUMMARY
from gateway.model.received_mail import MAIL_RECEIVE
from gateway.model.retrieval import RETRIEVE
from gateway.model.sent_mail import MAIL_FORWARD, MAIL_REPORT, MAIL_SEND, MAIL_WATCH
from gateway.model.submission import SUBMIT
from tests.gateway.exchange.test_atna_acts import names_in_the_code

TESTS: Final = Path(__file__).parents[1]
TELLING: Final = frozenset({"test_atna_acts.py", "test_atna.py", Path(__file__).name})
"""What only translates records shows no act."""
BY_CONSTANT: Final = {
    START: "gateway/exchange/test_audit_feed.py",
    STOP: "gateway/exchange/test_audit_feed.py",
}
"""Names that no test spells, and which test shows them."""
JOBS: Final[dict[str, tuple[str, str]]] = {
    RETRIEVE: ("calls(house)", "gateway/exchange/test_jobs.py"),
    GO_ON: ("calls(", "flows/test_asynchronous.py"),
    DELIVER: (".records()", "gateway/api/test_soap_later.py"),
    BRING_RESULT: ("records", "gateway/exchange/test_bringing.py"),
    MAIL_RECEIVE: ("facts(plan)", "flows/test_every_mail_records.py"),
    MAIL_SEND: ("facts(clinic)", "flows/test_every_mail_records.py"),
    MAIL_REPORT: ("delivery-status", "flows/test_direct.py"),
    MAIL_WATCH: ("late", "flows/test_direct.py"),
    MAIL_FORWARD: ("forward_summaries", "flows/test_direct.py"),
    REFRESH_BUNDLE: ('"DIRECT-BUNDLE"', "gateway/exchange/test_direct_bundles.py"),
    SUBMIT: ('"SUBMISSION"', "gateway/exchange/test_submitting.py"),
    RENEW_SUMMARY: ("records(house)", "gateway/exchange/test_allowance.py"),
}
"""By what the records of each kind of job are looked at, and in which test."""


def test_every_name_that_the_code_can_record_is_asserted_by_a_test() -> None:
    texts = [
        file.read_text(encoding="utf-8")
        for file in TESTS.rglob("test_*.py")
        if file.name not in TELLING
    ]
    spelled = {name for text in texts for name in re.findall(r'"([A-Z][A-Z0-9-]+)[":]', text)}
    names = names_in_the_code()
    assert len(names) > 100
    assert sorted(names - spelled - set(BY_CONSTANT)) == []
    assert all((TESTS / file).is_file() for file in BY_CONSTANT.values())


def test_every_kind_of_job_has_a_test_that_looks_at_its_records() -> None:
    assert jobs._VERBS.keys() == JOBS.keys()
    for look, file in JOBS.values():
        assert look in (TESTS / file).read_text(encoding="utf-8"), file
