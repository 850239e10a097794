"""Who asks us, the plans a rule opens to it, and what a record says of the answer."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gateway.exchange.policy import Permitted, Refused, offer, refusals_in_words
from gateway.model.document import OfferedDocument
from gateway.model.exchange import Outcome
from gateway.model.identity import ConversationId, DocumentId, MemberId, PlanId
from gateway.model.member import Member, Plan
from gateway.model.partner import Partner
from gateway.model.policy import Rule
from gateway.model.purpose import PurposeOfUse
from gateway.store import policy_rules
from gateway.store.database import Transaction
from ihe.identifiers import HomeCommunityId


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, as verified: the partner, and the purpose its assertion states.

    A community that several plans have registered, each for itself, is several partners.
    """

    partners: tuple[Partner, ...]
    purpose: PurposeOfUse

    @property
    def community(self) -> HomeCommunityId:
        """Which community it is, as whosever partner it speaks."""
        return self.partners[0].home_community_id

    def for_plan(self, plan: PlanId) -> Partner | None:
        """As whom it may speak to that plan: as the plan's own partner, else as a shared one."""
        return speaking_to(plan, self.partners)


def speaking_to(plan: PlanId, partners: Sequence[Partner]) -> Partner | None:
    """Of the partners that one community is, the plan's own, else one that all plans share."""
    own, shared = (next((one for one in partners if one.plan == of), None) for of in (plan, None))
    return own or shared


@dataclass(frozen=True, slots=True)
class Withheld:
    """A document that no rule gives."""

    offered: OfferedDocument
    refusal: Refused


@dataclass(frozen=True, slots=True)
class Way:
    """A plan that a rule opens to the asker: as which partner, why, and under which rules."""

    plan: Plan
    partner: Partner
    purpose: PurposeOfUse
    rules: tuple[Rule, ...]
    withheld: list[Withheld] = field(default_factory=list, compare=False)
    """What the rules did not give so far, and why: for the log of this plan alone."""

    def reaching(self) -> tuple[Rule, ...]:
        """The plan's rules that give this asker something for its purpose."""
        return tuple(rule for rule in self.rules if _reaches(rule, self.partner, self.purpose))

    def gives(self, offered: OfferedDocument, member: Member) -> bool:
        """Whether a rule offers the document (DECISIONS 10)."""
        verdict = offer(
            offered.document,
            self.rules,
            member=member,
            partner=self.partner,
            purpose=self.purpose,
            plan_authored=not offered.third_party,
            class_code=offered.class_code,
            confidentiality=offered.confidentiality,
        )
        if isinstance(verdict, Refused):
            self.withheld.append(Withheld(offered, verdict))
        return isinstance(verdict, Permitted)

    def why_withheld(self, ids: Container[str] | None = None) -> str | None:
        """Why documents were not given, in words; of these entry UUIDs or unique ids alone."""
        return refusals_in_words(
            one.refusal
            for one in {each.offered.entry_uuid: each for each in self.withheld}.values()
            if ids is None or one.offered.entry_uuid in ids or one.offered.unique_id in ids
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """What an exchange record says of an answer. `reason` is for our auditor alone.

    A record stands in one plan's log, under one member. An answer that gives documents or ids of
    several has an effect for each, or else the others' accounts of disclosures would miss it.
    """

    outcome: Outcome = "success"
    plan: PlanId | None = None
    member: MemberId | None = None
    documents: tuple[DocumentId, ...] = ()
    reason: str | None = None
    conversation: ConversationId | None = None


def ways(transaction: Transaction, plans: Iterable[Plan], asker: Asker) -> Iterator[Way]:
    """The plans with a rule for this partner and purpose; without one a plan is not there."""
    for plan in plans:
        partner = asker.for_plan(plan.id)
        if partner is None:
            continue
        rules = policy_rules.list_all(transaction, plan=plan.id)
        if any(_reaches(rule, partner, asker.purpose) for rule in rules):
            yield Way(plan, partner, asker.purpose, rules)


def no_way(asker: Asker) -> str:
    """Why there is no plan, for the record."""
    return f"no rule lets this partner ask for {asker.purpose.code}"


def takers(
    transaction: Transaction, plans: Iterable[Plan], asker: Asker
) -> Iterator[tuple[Plan, Partner]]:
    """The plans with a rule that lets this partner submit for its purpose, and as whom it does."""
    for plan in plans:
        partner = asker.for_plan(plan.id)
        rules = policy_rules.list_all(transaction, plan=plan.id)
        if partner is not None and any(
            _reaches(rule, partner, asker.purpose, "take") for rule in rules
        ):
            yield plan, partner


def _reaches(
    rule: Rule,
    partner: Partner,
    purpose: PurposeOfUse,
    direction: Literal["give", "take"] = "give",
) -> bool:
    allows = rule.purpose is None or purpose.is_within(rule.purpose)
    return rule.direction == direction and allows and rule.partner in (None, partner.id)
