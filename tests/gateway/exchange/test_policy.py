"""Who may ask and what may leave: nothing without a rule, and no secret in a refusal."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gateway.exchange.policy import (
    Period,
    Permitted,
    Refused,
    Verdict,
    may_ask,
    may_ask_for,
    offer,
    peer_sentence,
    principal_stated,
    purpose_stated,
    refusals_in_words,
    rule_in_words,
    service_period,
)
from gateway.model.document import Blob, Document, Source
from gateway.model.identity import DocumentId, MemberId, PartnerId, PlanId
from gateway.model.member import Member
from gateway.model.partner import Endpoints, Partner
from gateway.model.policy import Rule
from gateway.model.purpose import NHIN, TEFCA, PurposeOfUse
from ihe.identifiers import HomeCommunityId, Oid
from ihe.saml import Assertion, CodedAttribute
from ihe.xcpd import Demographics

TODAY = date(2026, 3, 1)
PLAN = PlanId("acme")
MEMBER = Member(MemberId("m"), PLAN, "100", Demographics(), date(2024, 1, 1), date(2026, 12, 31))
LAKESHORE = Partner(PartnerId("p"), "Lakeshore", HomeCommunityId.parse("2.999.1"), Endpoints())
PAYMENT = PurposeOfUse.parse("PAYMENT")
DOCUMENT = Document(
    id=DocumentId("d"),
    plan=PLAN,
    state="filed",
    blob=Blob("a", 1, "b", "c"),
    source=Source("FILE"),
    received=datetime(2026, 1, 1, tzinfo=UTC),
    member=MEMBER.id,
)
ANY = Rule("plan documents", PLAN)


def asked(
    member: Member = MEMBER,
    *,
    purpose: str = "PAYMENT",
    requester: str = "Dana Reed",
    agreed: bool = False,
    on: date = TODAY,
) -> Verdict:
    return may_ask(
        member,
        purpose=PurposeOfUse.parse(purpose),
        requester=requester,
        treatment_agreed=agreed,
        on=on,
    )


def offered(
    document: Document = DOCUMENT,
    *rules: Rule,
    member: Member = MEMBER,
    partner: Partner = LAKESHORE,
    plan_authored: bool = True,
    confidentiality: str | None = "N",
) -> Verdict:
    return offer(
        document,
        rules,
        member=member,
        partner=partner,
        purpose=PAYMENT,
        plan_authored=plan_authored,
        class_code="34133-9",
        confidentiality=confidentiality,
    )


def code(verdict: Verdict) -> str:
    assert isinstance(verdict, Refused)
    return verdict.code


def test_a_covered_member_may_be_asked_about() -> None:
    assert asked() == Permitted("coverage in force")


def test_a_plan_may_not_claim_treatment_without_an_agreement() -> None:
    assert code(asked(purpose="TREATMENT")) == "treatment_not_agreed"
    assert code(asked(purpose="T-TRTMNT")) == "treatment_not_agreed"
    assert asked(purpose="TREATMENT", agreed=True) == Permitted("treatment by agreement")


@pytest.mark.parametrize("day", [date(2023, 12, 31), date(2027, 1, 1)])
def test_nobody_is_asked_about_outside_coverage(day: date) -> None:
    assert code(asked(on=day)) == "not_covered"


def test_who_opted_out_is_not_asked_about() -> None:
    assert code(asked(replace(MEMBER, opted_out=True))) == "opted_out"


def test_a_request_without_a_person_is_refused() -> None:
    assert code(asked(requester=" ")) == "no_requester"


def test_what_depends_on_the_patient_is_silent_to_the_peer() -> None:
    assert peer_sentence(asked(replace(MEMBER, opted_out=True))) is None
    assert peer_sentence(asked(on=date(2030, 1, 1))) is None
    assert peer_sentence(asked(purpose="TREATMENT")) is not None


def test_service_dates_stay_within_coverage() -> None:
    assert service_period(MEMBER, since=None, on=TODAY) == Period(date(2024, 1, 1), TODAY)
    later = date(2025, 6, 1)
    assert service_period(MEMBER, since=later, on=date(2028, 1, 1)) == Period(
        later, date(2026, 12, 31)
    )


def test_nothing_is_offered_without_a_rule() -> None:
    assert code(offered()) == "no_rule"


def test_a_plan_authored_document_is_offered_by_a_rule_that_names_itself() -> None:
    assert offered(DOCUMENT, ANY) == Permitted("plan documents")


def test_a_third_party_document_needs_an_explicit_rule() -> None:
    assert code(offered(DOCUMENT, ANY, plan_authored=False)) == "no_rule"
    explicit = replace(ANY, name="third parties", third_party=True)
    assert offered(DOCUMENT, ANY, explicit, plan_authored=False) == Permitted("third parties")


@pytest.mark.parametrize(
    "rule",
    [
        replace(ANY, plan=PlanId("other")),
        replace(ANY, partner=PartnerId("other")),
        replace(ANY, purpose="TREATMENT"),
        replace(ANY, class_code="18842-5"),
    ],
)
def test_a_rule_for_something_else_allows_nothing(rule: Rule) -> None:
    assert code(offered(DOCUMENT, rule)) == "no_rule"


def test_a_partner_never_gets_its_own_document_back() -> None:
    by_id = replace(DOCUMENT, source=Source("ITI-39", partner=LAKESHORE.id))
    by_home = replace(DOCUMENT, source=Source("ITI-41", home_community_id="urn:oid:2.999.1"))
    everything = replace(ANY, third_party=True)
    assert code(offered(by_id, everything)) == "own_document"
    assert code(offered(by_home, everything)) == "own_document"


@pytest.mark.parametrize("confidentiality", ["R", "V", None])
def test_confidentiality_must_be_stated_and_covered(confidentiality: str | None) -> None:
    assert code(offered(DOCUMENT, ANY, confidentiality=confidentiality)) == "confidentiality"


def test_restricted_content_goes_out_where_a_rule_says_so() -> None:
    wide = replace(ANY, name="restricted", confidentiality=("N", "R"))
    assert offered(DOCUMENT, ANY, wide, confidentiality="R") == Permitted("restricted")


@pytest.mark.parametrize("state", ["held", "quarantined", "withdrawn"])
def test_only_filed_documents_are_offered(state: str) -> None:
    assert code(offered(replace(DOCUMENT, state=state), ANY)) == "not_filed"  # type: ignore[arg-type]


def test_a_document_of_someone_else_is_not_offered() -> None:
    assert code(offered(replace(DOCUMENT, member=MemberId("x")), ANY)) == "not_filed"


def test_no_refusal_of_a_document_is_told_to_the_peer() -> None:
    refusals = [
        offered(),
        offered(DOCUMENT, ANY, confidentiality="R"),
        offered(DOCUMENT, ANY, member=replace(MEMBER, opted_out=True)),
        offered(replace(DOCUMENT, member=None), ANY),
    ]
    assert {peer_sentence(refusal) for refusal in refusals} == {None}


def stating(purpose: CodedAttribute | None) -> PurposeOfUse | Refused:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return purpose_stated(
        Assertion("i", "x", now, None, None, None, None, None, None, None, None, purpose)
    )


def test_a_purpose_is_read_from_the_assertion() -> None:
    assert stating(CodedAttribute("PAYMENT", NHIN)) == PAYMENT
    assert stating(CodedAttribute("PAYMENT", None)) == PAYMENT
    assert stating(CodedAttribute("T-HCO-CC", f"urn:oid:{TEFCA}")) == PurposeOfUse.parse("T-HCO-CC")


def test_rce_purposes_and_retired_ones_are_read() -> None:
    assert stating(CodedAttribute("PAYMENT", TEFCA, "RCE-purpose")) == PAYMENT
    assert stating(CodedAttribute("T-HCO-QM", TEFCA)) == PurposeOfUse("T-HCO-QM", TEFCA)


@pytest.mark.parametrize(
    "purpose", [None, CodedAttribute("", NHIN), CodedAttribute("FUN", NHIN),
                CodedAttribute("T-PYMNT", NHIN), CodedAttribute("T-HCO-", TEFCA)]
)  # fmt: skip
def test_a_purpose_that_is_missing_or_unknown_is_refused_and_told(
    purpose: CodedAttribute | None,
) -> None:
    refused = stating(purpose)
    assert isinstance(refused, Refused)
    assert refused.peer_may_hear


def test_a_rule_for_a_purpose_covers_its_finer_codes() -> None:
    rule = replace(ANY, purpose="T-HCO")
    for code_stated, allowed in (
        ("T-HCO", True), ("T-HCO-CC", True), ("T-HCO-QM", True), ("T-PYMNT", False),
        ("OPERATIONS", False),
    ):  # fmt: skip
        verdict = offer(
            DOCUMENT,
            [rule],
            member=MEMBER,
            partner=LAKESHORE,
            purpose=PurposeOfUse.read(code_stated, None),
            plan_authored=True,
            class_code="34133-9",
            confidentiality="N",
        )
        assert isinstance(verdict, Permitted) is allowed, code_stated


# ---- delegation ------------------------------------------------------------------------------


def delegated(grantor: str | None, organization: str | None = None) -> Assertion:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Assertion(
        "i", "x", now, None, None, None, None, None, organization, None, None, None,
        query_auth_grantor=grantor,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["Organization/urn:oid:2.999.5", "Organization/2.999.5"])
def test_a_grantor_names_its_organization(text: str) -> None:
    assert principal_stated(delegated(text)) == Oid("2.999.5")
    assert principal_stated(delegated(None)) is None


@pytest.mark.parametrize("text", ["2.999.5", "Organization/", "Organization/x", "Person/2.999.5"])
def test_a_grantor_in_another_form_is_refused_and_told(text: str) -> None:
    refused = principal_stated(delegated(text))
    assert isinstance(refused, Refused)
    assert peer_sentence(refused) is not None


@pytest.mark.parametrize(
    ("organization", "listed", "allowed"),
    [
        (None, "2.999.1", True),
        ("2.999.1.4", "2.999.1.4", True),
        ("urn:oid:2.999.1.4", "2.999.1.4", True),
        ("2.999.14", "2.999.14", False),  # not under the community's own OID: anyone may say so
        ("2.999.9", "2.999.9", False),
        (None, "2.999.9", False),
    ],
)
def test_a_delegate_is_one_whom_the_principal_has_listed(
    organization: str | None, listed: str, allowed: bool
) -> None:
    verdict = may_ask_for(
        Oid("2.999.5"),
        [Oid(listed)],
        partner=LAKESHORE,
        assertion=delegated("Organization/2.999.5", organization),
    )
    assert isinstance(verdict, Permitted) is allowed
    assert (peer_sentence(verdict) is None) is allowed


def test_nobody_needs_to_delegate_to_itself() -> None:
    verdict = may_ask_for(
        LAKESHORE.home_community_id.oid, [], partner=LAKESHORE, assertion=delegated(None)
    )
    assert verdict == Permitted("own name")


# ---- in words --------------------------------------------------------------------------------


def test_a_refusal_names_the_rules_and_what_they_are_for() -> None:
    rules = [
        replace(ANY, name="a", purpose="TREATMENT"),
        replace(ANY, name="b", partner=PartnerId("other")),
        replace(ANY, name="c", class_code="18842-5"),
    ]
    refused = offered(DOCUMENT, *rules)
    assert isinstance(refused, Refused)
    assert refused.reason == (
        "No rule offers it for PAYMENT: rule a is for TREATMENT; rule b is for another partner; "
        "rule c is for class 18842-5."
    )
    third = offered(DOCUMENT, ANY, plan_authored=False)
    assert isinstance(third, Refused)
    assert "is for the plan's own documents" in third.reason
    sensitive = offered(DOCUMENT, ANY, confidentiality="R")
    assert isinstance(sensitive, Refused)
    assert sensitive.reason == (
        "Its confidentiality is not offered (R): rule plan documents covers N."
    )


def test_refusals_are_gathered_by_their_reason() -> None:
    refused = [Refused("no_rule", "A."), Refused("no_rule", "B."), Refused("no_rule", "A.")]
    assert refusals_in_words(refused) == "2 not given: A. 1 not given: B."
    assert refusals_in_words([]) is None


def test_a_rule_is_a_sentence() -> None:
    assert rule_in_words(ANY, {}) == (
        "plan documents: acme gives its own documents of confidentiality N to every partner for "
        "any purpose"
    )
    wide = replace(
        ANY,
        partner=LAKESHORE.id,
        purpose="T-HCO",
        class_code="34133-9",
        confidentiality=("N", "R"),
        third_party=True,
    )
    assert rule_in_words(wide, {LAKESHORE.id: "Lakeshore"}) == (
        "plan documents: acme gives documents, also those that others wrote, of class 34133-9 of "
        "confidentiality N or R (SENSITIVE: R) to Lakeshore for T-HCO"
    )
    assert "no partner known by that id" in rule_in_words(wide, {})
    telling = rule_in_words(replace(ANY, locations=True), {})
    assert telling.endswith("for any purpose, and says where else a member is known (ITI-56)")


def test_a_rule_to_take_is_said_in_words_and_offers_nothing() -> None:
    rule = Rule("submissions", PLAN, purpose="PAYMENT", direction="take")
    said = "submissions: acme takes documents that every partner submits for PAYMENT"
    assert rule_in_words(rule, {}) == said
