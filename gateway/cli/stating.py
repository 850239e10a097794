"""Why and for whom a command speaks to partners: nobody is asked, or given, anything without."""

from gateway.app.house import House
from gateway.cli.opening import plan_of
from gateway.cli.terminal import Exit, Failure
from gateway.exchange.policy import Refused, requester_stated
from gateway.model.member import Plan
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Requester


def stated_purpose(purpose: str, requester: str) -> PurposeOfUse:
    """The purpose of use; said before a house is opened.

    Raises:
        Failure: one of the two is missing, or it is no purpose.
    """
    if not purpose.strip() or not requester.strip():
        raise Failure("--purpose and --requester are needed; neither has a default", Exit.USAGE)
    try:
        return PurposeOfUse.parse(purpose)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None


def on_whose_behalf(
    house: House,
    plan: str | None,
    *,
    person: str,
    role: str | None,
    authority: str | None,
    before_it: str,
) -> tuple[Plan, Requester]:
    """The plan, and the person with the role and authority that the plan has registered where the
    command states none. `before_it` says what a plan of the settings alone may do.

    Raises:
        Failure: the plan is not in the settings, or nobody has stated a role or an authority.
    """
    own = house.plan(plan_of(house, plan).id)
    if own is None:
        raise Failure(f"add the plan to gateway.toml before it {before_it}", Exit.USAGE)
    who = requester_stated(own, person=person, role=role, authority=authority)
    if isinstance(who, Refused):
        raise Failure(f"{who.reason} Add it to the command or to the plan.", Exit.USAGE)
    return own, who
