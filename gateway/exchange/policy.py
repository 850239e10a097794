"""Who may ask, and what may leave the house (DECISIONS 8 to 11).

Each answer is `Permitted` or `Refused`. A refusal carries one sentence for the auditor, without
content, and says whether the peer may hear it: a partner hears what its identity, purpose or
message lacks; what depends on the patient looks like no match or no documents.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, assert_never

from gateway.model.document import Document
from gateway.model.identity import PartnerId
from gateway.model.member import Member, Plan
from gateway.model.partner import Partner
from gateway.model.policy import Rule
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Requester
from ihe.identifiers import HomeCommunityId, Oid
from ihe.saml import Assertion

RefusalCode = Literal[
    "no_requester", "no_purpose", "unknown_purpose", "treatment_not_agreed", "not_covered",
    "opted_out", "not_filed", "own_document", "no_rule", "confidentiality", "not_delegated",
    "not_taken",
]  # fmt: skip

_SENSITIVE: Final = frozenset({"R", "V"})
"""HL7 Confidentiality above normal: no rule covers them unless it says so."""


@dataclass(frozen=True, slots=True)
class Permitted:
    """Allowed by `rule`, a name for the record."""

    rule: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not allowed. `reason` is the auditor's sentence; the peer gets it only if it may hear."""

    code: RefusalCode
    reason: str
    peer_may_hear: bool = False


Verdict = Permitted | Refused


@dataclass(frozen=True, slots=True)
class Period:
    """Service dates that may be asked for; an open bound is None."""

    start: date | None
    end: date | None


def requester_stated(
    plan: Plan, *, person: str | None, role: str | None, authority: str | None
) -> Requester | Refused:
    """Who asks, in which role and under which authority; all of it is signed and recorded.

    What a request leaves out is what the plan has registered, and nothing else (DECISIONS 8).
    """
    stated = {
        "person who asks": _said(person),
        "role of the person who asks": _said(role) or plan.requester_role,
        "authority under which is asked": _said(authority) or plan.authority,
    }
    for what, text in stated.items():
        if text is None:
            return Refused("no_requester", f"The request names no {what}.", True)
    who, as_what, under = (text or "" for text in stated.values())
    return Requester(who, as_what, under)


def _said(text: str | None) -> str | None:
    return (text or "").strip() or None


def may_ask(
    member: Member,
    *,
    purpose: PurposeOfUse,
    requester: str,
    treatment_agreed: bool,
    on: date,
) -> Verdict:
    """Whether the plan may ask others about this member today (DECISIONS 8 and 9).

    `treatment_agreed` says that a registered agreement names treatment for this plan.
    """
    if not requester.strip():
        return Refused("no_requester", "The request names no person who asks.", True)
    if purpose.is_treatment and not treatment_agreed:
        return Refused(
            "treatment_not_agreed",
            "A plan may not state treatment as its purpose; no registered agreement names it.",
            True,
        )
    if member.opted_out:
        return Refused("opted_out", "The member has opted out of exchange.")
    if not member.is_covered(on):
        return Refused("not_covered", "The member's coverage is not in force.")
    return Permitted("treatment by agreement" if purpose.is_treatment else "coverage in force")


def service_period(member: Member, *, since: date | None, on: date) -> Period:
    """The service dates a query may cover: those of coverage, narrowed by what was asked."""
    starts = [start for start in (member.coverage_start, since) if start is not None]
    ends = [end for end in (member.coverage_end, on) if end is not None]
    return Period(max(starts, default=None), min(ends))


def purpose_stated(assertion: Assertion) -> PurposeOfUse | Refused:
    """Why a partner asks, from its verified assertion; there is no default (DECISIONS 8)."""
    stated = assertion.purpose_of_use
    if stated is None or not stated.code.strip():
        return Refused("no_purpose", "The assertion states no purpose of use.", True)
    try:
        return PurposeOfUse.read(stated.code, stated.system)
    except ValueError:
        return Refused(
            "unknown_purpose", "The assertion's purpose of use is not a known one.", True
        )


_PRINCIPAL: Final = "Organization/"


def principal_stated(assertion: Assertion) -> Oid | Refused | None:
    """In whose name a delegate asks; None if the partner asks for itself.

    Carequality Framework Policies 3.0: 3.7.2: QueryAuthGrantor is `Organization/<oid>`.
    """
    stated = assertion.query_auth_grantor
    if stated is None:
        return None
    kind, oid = stated[: len(_PRINCIPAL)], stated[len(_PRINCIPAL) :]
    try:
        if kind == _PRINCIPAL:
            return HomeCommunityId.parse(oid).oid
    except ValueError:
        pass
    return Refused(
        "not_delegated", "The QueryAuthGrantor is not of the form Organization/<oid>.", True
    )


def may_ask_for(
    principal: Oid, delegates: Iterable[Oid], *, partner: Partner, assertion: Assertion
) -> Verdict:
    """Whether the partner may ask in the principal's name; `delegates` are whom that has listed.

    Listed may be the partner's community, or one of its organizations: that is one whose OID
    lies under the community's own, for which nobody else can speak.
    """
    home = partner.home_community_id.oid
    if principal == home:
        return Permitted("own name")
    known = {home}
    organization = assertion.organization_oid
    if organization is not None and str(organization).startswith(f"{home}."):
        known.add(organization)
    if known.isdisjoint(delegates):
        return Refused(
            "not_delegated",
            "The organization of the QueryAuthGrantor has not listed this community as one that "
            "may ask in its name.",
            True,
        )
    return Permitted(f"in the name of {principal}")


def offer(
    document: Document,
    rules: Iterable[Rule],
    *,
    member: Member,
    partner: Partner,
    purpose: PurposeOfUse,
    plan_authored: bool,
    class_code: str | None,
    confidentiality: str | None,
) -> Verdict:
    """Whether a partner may have this document: nothing until a rule allows it (DECISIONS 10).

    `plan_authored` is the caller's finding, from the document's author and custodian: how a
    document came in does not say who wrote it. The peer hears none of these refusals.
    """
    refused = _never(document, member, partner)
    if refused is not None:
        return refused
    reached, against = [], []
    for rule in rules:
        reason = _why_not(rule, document, partner, purpose, class_code, plan_authored)
        if reason is None:
            reached.append(rule)
        else:
            against.append(f"rule {rule.name} is {reason}")
    if not reached:
        why = "; ".join(against) or "the plan has none"
        return Refused("no_rule", f"No rule offers it for {purpose.code}: {why}.")
    # A document that does not state its confidentiality is not taken to be normal.
    allowing = [rule for rule in reached if confidentiality in rule.confidentiality]
    if not allowing:
        stated = confidentiality or "none stated"
        covers = "; ".join(
            f"rule {rule.name} covers {', '.join(rule.confidentiality)}" for rule in reached
        )
        return Refused(
            "confidentiality", f"Its confidentiality is not offered ({stated}): {covers}."
        )
    return Permitted(min(rule.name for rule in allowing))


def peer_sentence(verdict: Verdict) -> str | None:
    """What may be said on the wire; None is silence, which looks like having nothing."""
    match verdict:
        case Permitted():
            return None
        case Refused(reason=reason, peer_may_hear=may_hear):
            return reason if may_hear else None
        case _:
            assert_never(verdict)


def _never(document: Document, member: Member, partner: Partner) -> Refused | None:
    """What no rule can allow."""
    is_members = document.member == member.id and document.plan == member.plan
    if document.state != "filed" or not is_members:
        return Refused("not_filed", "The document is not filed under this member.")
    if member.opted_out:
        return Refused("opted_out", "The member has opted out of exchange.")
    source = document.source
    if source.partner == partner.id or _is_home(source.home_community_id, partner):
        return Refused("own_document", "The document came from this partner.")
    return None


def _is_home(community: str | None, partner: Partner) -> bool:
    if community is None:
        return False
    return community.strip().lower().removeprefix("urn:oid:") == str(partner.home_community_id)


def _why_not(
    rule: Rule,
    document: Document,
    partner: Partner,
    purpose: PurposeOfUse,
    class_code: str | None,
    plan_authored: bool,
) -> str | None:
    """What the rule is for instead; None if it reaches the document. A field of None means any."""
    if rule.direction != "give":
        return "for what partners submit"
    if rule.plan != document.plan or partner.plan not in (None, document.plan):
        return "of another plan"
    if rule.partner not in (None, partner.id):
        return "for another partner"
    if rule.purpose is not None and not purpose.is_within(rule.purpose):
        return f"for {rule.purpose}"
    if rule.class_code not in (None, class_code):
        return f"for class {rule.class_code}"
    if not plan_authored and not rule.third_party:
        return "for the plan's own documents"
    return None


def refusals_in_words(refusals: Iterable[Refused]) -> str | None:
    """Why documents were not given, each reason once and for how many; None if none was refused.

    For the record alone: it tells of documents that the partner must not know of.
    """
    counts = Counter(refusal.reason for refusal in refusals)
    told = [f"{count} not given: {reason}" for reason, count in sorted(counts.items())]
    return " ".join(told) or None


def rule_in_words(rule: Rule, partner_names: Mapping[PartnerId, str]) -> str:
    """The rule as a sentence; `partner_names` are of the partners that are known."""
    whom = "every partner"
    if rule.partner is not None:
        whom = partner_names.get(rule.partner, f"{rule.partner} (no partner known by that id)")
    why = f"for {rule.purpose}" if rule.purpose else "for any purpose"
    if rule.direction == "take":
        return f"{rule.name}: {rule.plan} takes documents that {whom} submits {why}"
    what = "documents, also those that others wrote," if rule.third_party else "its own documents"
    if rule.on_demand:
        what = f"{what.removesuffix(',')} and a summary of them made on demand,"
    of_class = f"of class {rule.class_code} " if rule.class_code else ""
    codes = " or ".join(rule.confidentiality) or "no confidentiality at all"
    sensitive = _SENSITIVE.intersection(rule.confidentiality)
    told = ", and says where else a member is known (ITI-56)" if rule.locations else ""
    remark = f" (SENSITIVE: {', '.join(sorted(sensitive))})" if sensitive else ""
    return (
        f"{rule.name}: {rule.plan} gives {what} {of_class}of confidentiality {codes}{remark} to "
        f"{whom} {why}{told}"
    )
