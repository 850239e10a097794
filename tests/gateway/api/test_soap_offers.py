"""What may leave through the partner doors: nothing until a rule allows it (DECISIONS 10, 11)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.exchange.metadata import LOINC, unique_id
from gateway.model.document import Source
from gateway.model.identity import MemberId
from gateway.model.member import Member
from gateway.model.partner import PartnerProfile
from gateway.model.policy import Rule
from gateway.model.purpose import NHIN
from gateway.store import members
from ihe.metadata import Code
from ihe.registry_response import ErrorCode, ResponseStatus
from ihe.saml import CodedAttribute
from ihe.soap import ITI_55_REQUEST
from ihe.xcpd import Demographics, Matched, NoMatch
from tests.gateway.asking import ask, discovery, fault_of, find_documents
from tests.gateway.house import (
    MEMBER,
    OTHER_PLAN,
    PLAN,
    a_partner,
    a_rule,
    certificate_of,
    demo_document,
    documents,
    file,
    open_house,
    records,
    serving,
    signing_key,
)
from tests.gateway.visiting import Visitor, visiting

Visiting = Callable[..., Visitor]
CCD, NOTE, CONSULT = "34133-9", "11506-3", "11488-4"
DISCHARGE = "18842-5"
OURS = {CCD, NOTE, CONSULT}
ELSEWHERE = a_partner("Eastgate Clinic", "2.999.7303.1")
TREATMENT = CodedAttribute("TREATMENT", NHIN, "nhin-purpose", "Treatment")


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visiting]:
    with ExitStack() as held:
        yield lambda *rules, **more: held.enter_context(visiting(tmp_path, rules=rules, **more))


def types(visitor: Visitor, **asserted: Any) -> set[str | None]:
    """The type codes of what ITI-38 lists; ITI-39 must give exactly that."""
    listed = visitor.find(**asserted)
    assert (listed.status, listed.errors) == (ResponseStatus.SUCCESS, ())
    current = [one for one in documents(visitor.house) if one.superseded_by is None]
    given = visitor.get(*current, **asserted)
    assert set(given.contents) == {str(entry.unique_id) for entry in listed.entries}
    return {entry.type_code.value if entry.type_code else None for entry in listed.entries}


def nothing(visitor: Visitor, **asserted: Any) -> None:
    """It looks exactly as if we knew nobody, and our record alone says why."""
    assert visitor.discover(**asserted) == NoMatch()
    assert visitor.recorded().member is None
    assert visitor.find(**asserted).entries == ()
    assert visitor.recorded().documents == ()
    got = visitor.get(*documents(visitor.house), **asserted)
    assert got.contents == {}
    assert {error.code for error in got.response.outcome.errors} == {ErrorCode.DOCUMENT_UNIQUE_ID}
    assert (visitor.recorded().outcome, visitor.recorded().documents) == ("refused", ())


# ---- rules -----------------------------------------------------------------------------------


def test_without_a_rule_nobody_gets_anything(visit: Visiting) -> None:
    nothing(visit())


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(ELSEWHERE),
        a_rule(purpose="OPERATIONS"),
        replace(a_rule(), plan=OTHER_PLAN),
    ],
    ids=["for another partner", "for another purpose", "of another plan"],
)
def test_a_rule_that_does_not_reach_the_asker_gives_nothing(visit: Visiting, rule: Rule) -> None:
    nothing(visit(rule))


def test_a_rule_gives_what_we_wrote_and_nothing_of_others(visit: Visiting) -> None:
    assert types(visit(a_rule())) == OURS


def test_a_rule_may_give_what_others_wrote(visit: Visiting) -> None:
    assert types(visit(a_rule(third_party=True))) == {*OURS, DISCHARGE}


def test_a_rule_for_one_partner_reaches_it_alone(visit: Visiting) -> None:
    visitor = visit(a_rule(a_partner()), known=[ELSEWHERE])
    assert types(visitor) == OURS
    nothing(replace(visitor, partner=ELSEWHERE))


def test_a_rule_for_one_purpose_is_for_that_purpose(visit: Visiting) -> None:
    visitor = visit(a_rule(purpose="TREATMENT"))
    assert types(visitor, purpose_of_use=TREATMENT) == OURS
    assert visitor.recorded().purpose == "TREATMENT"
    nothing(visitor)


def test_a_rule_for_one_class_gives_that_class(visit: Visiting) -> None:
    visitor = visit(a_rule(class_code=NOTE))
    assert isinstance(visitor.discover(), Matched)
    assert types(visitor) == {NOTE}


def test_a_document_more_confidential_than_the_rule_stays(visit: Visiting) -> None:
    visitor = visit(a_rule())
    file(visitor.house, restricted())
    assert types(visitor) == OURS


def test_a_rule_may_name_a_higher_confidentiality(visit: Visiting) -> None:
    visitor = visit(a_rule(confidentiality=("N", "R")))
    done = file(visitor.house, restricted()).document
    visitor.find()
    assert done.id in visitor.recorded().documents


def restricted() -> bytes:
    """Another consult note, marked as restricted."""
    note = demo_document("lakeshore_unstructured.xml").replace(b"699305", b"699399")
    marked = note.replace(b'<confidentialityCode code="N"', b'<confidentialityCode code="R"', 1)
    assert marked != note
    return marked


# ---- what no rule can give -------------------------------------------------------------------


def test_a_partner_never_gets_its_own_documents_back(visit: Visiting) -> None:
    visitor = visit(a_rule(third_party=True), known=[ELSEWHERE])
    note = demo_document("lakeshore_unstructured.xml").replace(b"699305", b"699400")
    source = Source("ITI-39", a_partner().id, "Northfield", str(a_partner().home_community_id))
    came = file(visitor.house, note, source=source).document
    assert came.state == "filed"
    visitor.find()
    assert came.id not in visitor.recorded().documents
    got = visitor.get(came)
    assert (got.contents, visitor.recorded().outcome) == ({}, "refused")
    other = replace(visitor, partner=ELSEWHERE)
    other.find()
    assert came.id in other.recorded().documents


def test_who_opted_out_looks_like_nobody(visit: Visiting) -> None:
    visitor = visit(a_rule(third_party=True))
    opt_out(visitor)
    nothing(visitor)


def test_a_namesake_is_not_found_in_place_of_who_opted_out(visit: Visiting) -> None:
    visitor = visit(a_rule())
    namesake = Member(MemberId("00000000-0000-4000-8000-00000000000a"), PLAN, "LS-2", alike())
    visitor.house.database.write(lambda tx: members.put(tx, namesake))
    opt_out(visitor)
    assert visitor.discover() == NoMatch()


def opt_out(visitor: Visitor) -> None:
    visitor.house.database.write(
        lambda tx: members.set_opted_out(tx, plan=PLAN, member=MEMBER.id, opted_out=True)
    )


def alike() -> Demographics:
    return replace(MEMBER.demographics, ids=())


def test_each_plan_that_knows_the_person_has_its_own_record(visit: Visiting) -> None:
    """One record stands in one plan's log: the other plan's auditor must see it too."""
    visitor = visit(a_rule(), replace(a_rule(), plan=OTHER_PLAN))
    hers = MemberId("00000000-0000-4000-8000-00000000000b")
    there = Member(hers, OTHER_PLAN, "O-1", alike())
    visitor.house.database.write(lambda tx: members.put(tx, there))
    sealed = ask(discovery(), ITI_55_REQUEST)
    assert visitor.door.post("/ihe/xcpd", sealed.envelope).status == 200
    found = [one for one in records(visitor.house) if one.message_id == sealed.message_id]
    assert [(one.plan, one.member) for one in found] == [(PLAN, MEMBER.id), (OTHER_PLAN, hers)]


def test_a_partner_of_one_plan_reaches_that_plan_alone(visit: Visiting) -> None:
    nothing(visit(a_rule(), partner=a_partner(plan=OTHER_PLAN)))


# ---- whose certificate it is -----------------------------------------------------------------


def test_partners_that_share_a_tls_certificate_are_told_apart_by_what_they_sign(
    tmp_path: Path,
) -> None:
    """Two communities behind one gateway of their vendor's."""
    vendor = (certificate_of("Vendor").certificate_pem,)
    north = a_partner(tls_certificates=vendor)
    east = a_partner("Eastgate Clinic", "2.999.7303.1", tls_certificates=vendor)
    rules = [a_rule(east)]
    with open_house(tmp_path, rules=rules, known=(north, east)) as house, serving(house) as door:
        for partner, member in ((north, None), (east, MEMBER.id)):
            sealed = ask(discovery(), ITI_55_REQUEST, partner=partner)
            assert door.post("/ihe/xcpd", sealed.envelope, by="Vendor").status == 200
            (record,) = [one for one in records(house) if one.message_id == sealed.message_id]
            assert (record.partner, record.member) == (partner.id, member)


def test_partners_that_share_both_certificates_are_told_apart_by_their_community(
    tmp_path: Path,
) -> None:
    vendor = (certificate_of("Vendor").certificate_pem,)
    shared = {"tls_certificates": vendor, "signing_certificates": vendor}
    north, east = a_partner(**shared), a_partner("Eastgate Clinic", "2.999.7303.1", **shared)
    with open_house(tmp_path, known=(north, east)) as house, serving(house) as door:
        for partner in (north, east):
            sealed = ask(discovery(), ITI_55_REQUEST, partner=partner, key=signing_key("Vendor"))
            assert door.post("/ihe/xcpd", sealed.envelope, by="Vendor").status == 200
            (record,) = [one for one in records(house) if one.message_id == sealed.message_id]
            assert record.partner == partner.id


def test_one_partner_cannot_speak_over_anothers_connection(tmp_path: Path) -> None:
    with (
        open_house(tmp_path, rules=[a_rule()], known=(a_partner(), ELSEWHERE)) as house,
        serving(house) as door,
    ):
        sealed = ask(discovery(), ITI_55_REQUEST)
        reply = door.post("/ihe/xcpd", sealed.envelope, by=ELSEWHERE.name)
        assert (reply.status, fault_of(reply).code) == (400, "soap:Sender")
        assert [one for one in records(house) if one.partner] == []


def test_a_profile_may_demand_one_certificate_for_both(visit: Visiting) -> None:
    two = a_partner(
        tls_certificates=(certificate_of("Northfield Health").certificate_pem,),
        signing_certificates=(certificate_of("Northfield signing").certificate_pem,),
        profile=PartnerProfile(same_certificate=True),
    )
    visitor = visit(a_rule(), partner=two)
    sealed = ask(discovery(), ITI_55_REQUEST, key=signing_key("Northfield signing"))
    reply = visitor.door.post("/ihe/xcpd", sealed.envelope)
    assert (reply.status, fault_of(reply).subcode) == (400, "wsse:FailedCheck")


def test_another_signing_certificate_is_taken_otherwise(visit: Visiting) -> None:
    two = a_partner(
        signing_certificates=(certificate_of("Northfield signing").certificate_pem,),
    )
    visitor = visit(a_rule(), partner=two)
    sealed = ask(discovery(), ITI_55_REQUEST, key=signing_key("Northfield signing"))
    assert visitor.door.post("/ihe/xcpd", sealed.envelope).status == 200


# ---- what was replaced -----------------------------------------------------------------------


def corrected(number: int, confidentiality: str) -> bytes:
    """A later version of the consult note, with its confidentiality."""
    note, identity = demo_document("lakeshore_unstructured.xml"), b'extension="699305"/>\n  <code'
    for found, made in (
        (identity, identity.replace(b"699305", b"%06d" % (699305 + number))),
        (b'<versionNumber value="1"/>', b'<versionNumber value="%d"/>' % (1 + number)),
        (
            b'<confidentialityCode code="N"',
            b'<confidentialityCode code="%s"' % confidentiality.encode(),
        ),
    ):
        assert found in note
        note = note.replace(found, made, 1)
    return note


def consults(visitor: Visitor) -> dict[str, str | None]:
    """The availability of each consult note that a query for all of them lists, by its version."""
    asked = find_documents(statuses=("Approved", "Deprecated"))
    known = {str(unique_id(one)): str(one.version) for one in documents(visitor.house)}
    return {
        known[str(entry.unique_id)]: entry.availability
        for entry in visitor.find(asked).entries
        if entry.type_code and entry.type_code.value == CONSULT
    }


def test_what_a_correction_replaced_is_given_beside_it(visit: Visiting) -> None:
    visitor = visit(a_rule())
    assert file(visitor.house, corrected(1, "N")).outcome == "filed"
    assert consults(visitor) == {"1": "Deprecated", "2": "Approved"}


def test_what_a_correction_marked_as_restricted_is_not_given_as_it_was_before(
    visit: Visiting,
) -> None:
    visitor = visit(a_rule())
    for number, confidentiality in ((1, "N"), (2, "R")):
        assert file(visitor.house, corrected(number, confidentiality)).outcome == "filed"
    assert consults(visitor) == {}
    assert "3 not given: Its confidentiality is not offered" in str(visitor.recorded().reason)
    old = [one for one in documents(visitor.house) if one.type_code == CONSULT]
    assert len(old) == 3
    assert visitor.get(*old).contents == {}
    assert visitor.recorded().documents == ()
    assert types(visitor) == OURS - {CONSULT}


def test_who_may_have_the_restricted_has_what_it_replaced_too(visit: Visiting) -> None:
    visitor = visit(replace(a_rule(), confidentiality=("N", "R")))
    file(visitor.house, corrected(1, "R"))
    assert consults(visitor) == {"1": "Deprecated", "2": "Approved"}


# ---- who wrote it ----------------------------------------------------------------------------


def test_who_sends_us_mail_cannot_pass_for_us_by_naming_us(visit: Visiting) -> None:
    visitor = visit(a_rule())
    stranger = Source(door="DIRECT", partner_name="someone@elsewhere.example")
    assert file(visitor.house, corrected(1, "N"), source=stranger).outcome == "filed"
    assert "2" not in consults(visitor)


# ---- long questions --------------------------------------------------------------------------


def test_any_number_of_codes_may_be_asked_for(visit: Visiting) -> None:
    visitor = visit(a_rule())
    classes = (*(Code(f"x{number}", LOINC) for number in range(40_000)), Code(NOTE, LOINC))
    listed = visitor.find(find_documents(class_codes=classes))
    assert (listed.status, listed.errors) == (ResponseStatus.SUCCESS, ())
    assert {entry.type_code and entry.type_code.value for entry in listed.entries} == {NOTE}
