"""Who asks in another's name is looked up in the directory: listed by the principal, or refused."""

from pathlib import Path

import pytest

from gateway.model.partner import Delegation, Partner
from gateway.model.purpose import TEFCA
from gateway.store import delegations, partners
from ihe.identifiers import Oid
from ihe.saml import CodedAttribute
from ihe.soap import ITI_55_REQUEST
from ihe.xcpd import Matched
from tests.gateway.asking import ask, discovery, fault_of
from tests.gateway.house import PLAN, a_partner, a_rule, records
from tests.gateway.visiting import Visitor, visiting

PRINCIPAL = "2.999.7305.1"
GRANTOR = f"Organization/{PRINCIPAL}"


def principal(**changes: object) -> Partner:
    return a_partner("Principal Clinic", PRINCIPAL, **changes)


def lists(visitor: Visitor, delegate: str, by: Partner | None = None) -> None:
    one = Delegation(Oid(PRINCIPAL), Oid(delegate))
    visitor.house.database.write(lambda tx: delegations.put(tx, by or principal(), [one]))


def refused(visitor: Visitor, grantor: str) -> str:
    sealed = ask(discovery(), ITI_55_REQUEST, query_auth_grantor=grantor)
    fault = fault_of(visitor.door.post("/ihe/xcpd", sealed.envelope))
    record = records(visitor.house)[-1]
    assert (record.outcome, record.reason) == ("refused", fault.sentence)
    assert fault.code == "soap:Sender"
    return fault.sentence


def test_a_delegate_is_heard_once_the_principal_has_listed_it(tmp_path: Path) -> None:
    with visiting(tmp_path, rules=[a_rule()], known=[principal()]) as visitor:
        assert "has not listed this community" in refused(visitor, GRANTOR)
        lists(visitor, "2.999.7301.9")
        assert "has not listed this community" in refused(visitor, GRANTOR)
        lists(visitor, "2.999.7301.1")
        assert isinstance(visitor.discover(query_auth_grantor=GRANTOR), Matched)
        assert isinstance(
            visitor.discover(query_auth_grantor="Organization/urn:oid:2.999.7301.1"), Matched
        )
        assert "Organization/<oid>" in refused(visitor, PRINCIPAL)


def test_what_one_plans_directory_says_opens_no_other(tmp_path: Path) -> None:
    of_plan = principal(plan=PLAN)
    with visiting(tmp_path, rules=[a_rule()], known=[of_plan]) as visitor:
        lists(visitor, "2.999.7301.1", of_plan)
        assert "has not listed" in refused(visitor, GRANTOR)


def test_a_partner_that_goes_takes_its_delegations_along(tmp_path: Path) -> None:
    with visiting(tmp_path, rules=[a_rule()], known=[principal()]) as visitor:
        lists(visitor, "2.999.7301.1")
        visitor.house.database.write(
            lambda tx: partners.remove(tx, plan=PLAN, partner=principal().id)
        )
        assert "has not listed" in refused(visitor, GRANTOR)


@pytest.mark.parametrize("code", ["T-HCO-QM", "PAYMENT"])
def test_purposes_of_tefca_are_heard(tmp_path: Path, code: str) -> None:
    rules = [a_rule(purpose="T-HCO"), a_rule(name="pay", purpose="PAYMENT")]
    with visiting(tmp_path, rules=rules) as visitor:
        purpose = CodedAttribute(code, TEFCA)
        assert isinstance(visitor.discover(purpose_of_use=purpose), Matched)
        assert visitor.recorded().purpose == code
