"""The table that says what may leave the house (DECISIONS 10), and who may bring something."""

from dataclasses import dataclass
from typing import Literal

from gateway.model.identity import PartnerId, PlanId


@dataclass(frozen=True, slots=True)
class Rule:
    """One permission. None in a field means any; without a matching rule nothing is given.

    `locations` tells of a member which other communities know them, and by which patient ids
    (ITI-56). `third_party` widens the offer from plan-authored documents to those received from
    others, `on_demand` to the member's summary, made of the documents that rules give. A rule to
    `take` gives nothing: it lets the partner submit documents for the purpose (ITI-41), whatever
    they are.
    """

    name: str
    plan: PlanId
    partner: PartnerId | None = None
    purpose: str | None = None
    class_code: str | None = None
    confidentiality: tuple[str, ...] = ("N",)
    third_party: bool = False
    on_demand: bool = False
    locations: bool = False
    direction: Literal["give", "take"] = "give"
