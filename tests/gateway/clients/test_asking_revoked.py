"""A partner whose certificate was revoked: nothing is sent to it, and nothing of it believed."""

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ccda.safe_xml import parse_xml
from gateway.demo.certificates import Issued
from gateway.model.purpose import TEFCA
from gateway.settings import Network, Revocation
from ihe.namespaces import PREFIXES
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import asking_house, calls, retrieve
from tests.gateway.clients.scripted_partner import Answer, Heard, Reply, discovered, scripted
from tests.issuers import Answering, Authority, answering


@pytest.fixture
def served() -> Iterator[Answering]:
    with answering() as one:
        yield one


@pytest.fixture
def authority(served: Answering) -> Authority:
    made = Authority("Network CA", datetime.now(UTC), served.base)
    served.answer = lambda path, body: made.answer(path, body, {})
    return made


def asked(
    tmp_path: Path,
    served: Answering,
    authority: Authority,
    tls: Issued,
    answer: Answer = lambda heard: Reply(discovered(heard)),
    timeout_seconds: float = 30.0,
    **network: object,
) -> tuple[list[str], str | None, str]:
    """What the partner heard, and what became of it: in its row, and in the record."""
    anchor = tmp_path / "network.pem"
    anchor.write_text(authority.issued.certificate_pem)
    changes = {
        "networks": (Network(name=lakeshore.NETWORK, anchors=(anchor,), **network),),  # type: ignore[arg-type]
        "revocation": Revocation(private_addresses=(served.address,)),
    }
    with (
        scripted(files=tls.save(tmp_path, "tls"), ITI_55=answer) as script,
        asking_house(
            tmp_path / "house",
            [
                replace(
                    script.partner,
                    profile=replace(script.partner.profile, timeout_seconds=timeout_seconds),
                )
            ],
            **changes,
        ) as house,
    ):
        (row,) = retrieve(house).values()
        called = [one.outcome for one in calls(house) if one.transaction == "ITI-55"]
        return script.heard, row.detail, called[-1]


def test_nothing_is_sent_over_a_revoked_certificate(
    tmp_path: Path, served: Answering, authority: Authority
) -> None:
    tls = authority.issue("Northfield", crl=True)
    authority.revoke(tls)
    heard, detail, outcome = asked(tmp_path, served, authority, tls)
    assert heard == []
    assert (detail, outcome) == (
        "its TLS certificate is not trusted (the certificate was revoked)",
        "failed",
    )


def test_whose_time_is_up_while_its_certificate_is_looked_up_leaves_no_connection_open(
    tmp_path: Path, served: Answering, authority: Authority
) -> None:
    served.answer = lambda _path, _body: time.sleep(3) or 503  # type: ignore[func-returns-value]
    tls = authority.issue("Northfield", crl=True)
    heard, detail, outcome = asked(tmp_path, served, authority, tls, timeout_seconds=1.0)
    assert (heard, detail, outcome) == ([], "no answer within 1 s", "failed")
    gc.collect()  # a socket that nobody closed is told of here


def test_a_certificate_that_cannot_be_looked_up_is_not_spoken_to(
    tmp_path: Path, served: Answering, authority: Authority
) -> None:
    served.answer = lambda _path, _body: 503
    heard, detail, _ = asked(tmp_path, served, authority, authority.issue("N", crl=True))
    assert heard == []
    assert detail is not None and "its revocation list cannot be reached" in detail
    heard, _, outcome = asked(
        tmp_path, served, authority, authority.issue("N", crl=True), revocation="when_reachable"
    )
    assert (heard[:1], outcome) == (["ITI_55"], "success")


def test_a_certificate_that_holds_is_spoken_to_in_the_networks_purposes(
    tmp_path: Path, served: Answering, authority: Authority
) -> None:
    stated: list[tuple[str | None, str | None]] = []

    def answer(heard: Heard) -> Reply:
        for purpose in parse_xml(heard.envelope).iterfind(".//hl7:PurposeOfUse", PREFIXES):
            stated.append((purpose.get("code"), purpose.get("codeSystem")))
        return Reply(discovered(heard))

    tls = authority.issue("Northfield", crl=True)
    heard, _, outcome = asked(tmp_path, served, authority, tls, answer, purposes="tefca")
    assert (heard[:1], outcome) == (["ITI_55"], "success")
    assert stated == [("T-PYMNT", TEFCA)]
    assert served.asked == ["/list.crl"]
