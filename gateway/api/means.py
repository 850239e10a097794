"""What the plan doors work with, and the pieces that their routes share."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from starlette.datastructures import URL

from gateway.api.problems import Problem
from gateway.exchange.archive import Archive
from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.spooling import MailMeans
from gateway.model.community import Community
from gateway.model.identity import MemberId, PlanId
from gateway.model.member import Member, Plan
from gateway.settings_audit import Usual
from gateway.store import members
from gateway.store.database import Transaction
from gateway.store.job_queue import JobQueue


@dataclass(frozen=True, slots=True)
class PlanMeans:
    """Each is shared by every request."""

    archive: Archive
    community: Community
    plans: tuple[Plan, ...]
    queue: JobQueue
    mail: MailMeans | None = None
    """For the relay door; None where there is no mail."""
    mail_limit_bytes: int = 32 * 1024 * 1024
    usual: Usual = field(default_factory=Usual)
    """What access to members is usual."""
    direct: DirectMeans | None = None
    """For sending and looking; None where there is no mail."""
    host: str = "localhost"
    """This machine's name, as audit events tell it."""

    def plan(self, plan: PlanId) -> Plan:
        """The plan of that id.

        Raises:
            Problem: the settings no longer name it.
        """
        for known in self.plans:
            if known.id == plan:
                return known
        raise Problem(403, "This token's plan is no longer served here.")


def _means(request: Request) -> PlanMeans:
    means: PlanMeans = request.app.state.means
    return means


Means = Annotated[PlanMeans, Depends(_means)]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]

ID: Final = r"^[!-~]{1,100}$"
"""An id is ours: a NUL, which no database takes, is in none."""
PathId = Annotated[str, Path(pattern=ID, description="The id that the gateway gave it.")]
QueryId = Annotated[str | None, Query(pattern=ID, description="Only that of this id.")]
After = Annotated[str | None, Query(pattern=ID, description="The last page's `next`.")]


def next_page(url: URL, **where: Any) -> dict[str, str]:
    """The header that links to the page that begins there (RFC 8288)."""
    following = url.include_query_params(**where)
    # Without its host, which a proxy may call otherwise.
    return {"Link": f'<{following.path}?{following.query}>; rel="next"'}


def the_member(transaction: Transaction, plan: PlanId, member: str) -> Member:
    """The caller's member.

    Raises:
        Problem: 404; a member of another plan looks exactly like none.
    """
    found = members.get(transaction, plan=plan, member=MemberId(member))
    if found is None:
        raise Problem(404, "There is no such member in your plan.")
    return found
