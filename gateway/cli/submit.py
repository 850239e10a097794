"""`gateway submit`: bring documents of a member to a partner (ITI-41, ITI-80)."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

import orjson
import typer

from gateway.app.house import House, open_client
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, member_of, opened
from gateway.cli.recording import record, refusal
from gateway.cli.stating import on_whose_behalf, stated_purpose
from gateway.cli.terminal import Exit, Failure, out, printable
from gateway.clients.failures import PartnerFailed
from gateway.exchange.asking import explain
from gateway.exchange.submitting import NotSubmitted, SubmitMeans, Submitted, check, submit
from gateway.model.identity import ConversationId, DocumentId, PartnerId, PlanId
from gateway.model.member import Plan
from gateway.model.partner import Partner
from gateway.model.submission import Submission
from gateway.store import partners
from gateway.store.transaction import Transaction
from ihe.errors import IheError


def submit_documents(
    member: Annotated[str, typer.Argument(help="The plan's number of the member.")],
    to: Annotated[str, typer.Option(help="The partner's id or name; see `gateway partners list`.")],
    purpose: Annotated[str, typer.Option(help="Purpose of use, e.g. PAYMENT or OPERATIONS.")] = "",
    requester: Annotated[str, typer.Option(help="The person in whose name it is sent.")] = "",
    document: Annotated[
        list[str] | None, typer.Option(help="The id of a document; more than once for several.")
    ] = None,
    summary: Annotated[bool, typer.Option(help="Also the member's summary, made now.")] = False,
    role: Annotated[
        str | None, typer.Option(help="That person's role; else the plan's requester_role.")
    ] = None,
    authority: Annotated[
        str | None, typer.Option(help="Under which authority; else the plan's authority.")
    ] = None,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Submit a member's documents to a partner, as far as rules give them to it.

    Without --document and --summary all current documents go. What a newer version replaces is said
    to a partner that has the older one from us. Sent again, documents keep their ids: a partner
    files none of them twice.
    """
    stated = stated_purpose(purpose, requester)
    with opened(config) as house:
        own, who = on_whose_behalf(
            house, plan, person=requester, role=role, authority=authority, before_it="submits"
        )
        about = member_of(house, own.id, member, act="CLI-SUBMISSION")
        given = Submission(
            id=str(uuid4()),
            plan=own.id,
            member=about.id,
            partner=_partner(house, own, to).id,
            purpose=stated.code,
            requester=who,
            created=datetime.now(UTC),
            documents=tuple(map(DocumentId, document or ())),
            summary=summary,
        )
        done = _submit(house, given)
    form: dict[str, Any] = {
        "id": given.id,
        "outcome": done.outcome,
        "documents": [one.document.id for one in done.documents],
        "detail": done.reason,
    }
    if json:
        typer.echo(orjson.dumps(form).decode())
    else:
        out.print(f"{len(done.documents)} documents sent: {done.outcome}", end="")
        out.print(f" ({printable(done.reason)})" if done.reason else "")
    if done.outcome != "success":
        raise typer.Exit(int(Exit.PARTLY if done.outcome == "partial" else Exit.FAILED))


def _partner(house: House, plan: Plan, named: str) -> Partner:
    known = house.database.read(lambda tx: partners.list_all(tx, plan=plan.id))
    found = [one for one in known if named in (one.id, one.name, str(one.home_community_id))]
    if len(found) != 1:
        what = "no partner" if not found else "more than one partner"
        raise refusal(
            house,
            "CLI-SUBMISSION",
            plan=plan.id,
            reason=f"{what} is called {named}",
            advice="; see `gateway partners list`",
            exit_code=Exit.USAGE,
        )
    return found[0]


def _submit(house: House, given: Submission) -> Submitted:
    """Ordered on record, then sent; each attempt has a record of its own."""
    try:
        house.database.write(partial(_order, house, given))
    except NotSubmitted as refusal:
        reason = str(refusal)
        house.database.write(lambda tx: _record(tx, given, reason))
        raise Failure(reason) from None
    try:
        return asyncio.run(_send(house, given))
    except (NotSubmitted, PartnerFailed, IheError) as error:
        why = str(error) if isinstance(error, NotSubmitted) else explain(error)
        raise Failure(f"it was not taken: {why}") from None


def _order(house: House, given: Submission, transaction: Transaction) -> None:
    check(transaction, given, house.plans, house.community, now=given.created)
    _record(transaction, given, None)


def _record(transaction: Transaction, given: Submission, refusal: str | None) -> None:
    record(
        transaction,
        "CLI-SUBMISSION",
        plan=PlanId(given.plan),
        member=given.member,
        partner=PartnerId(given.partner),
        purpose=given.purpose,
        authority=given.requester.authority,
        documents=given.documents if refusal is None else (),
        conversation=ConversationId(given.id),
        outcome="success" if refusal is None else "refused",
        reason=refusal,
    )


async def _send(house: House, given: Submission) -> Submitted:
    client = open_client(house)
    means = SubmitMeans(house.archive, client, house.community, house.plans)
    try:
        return await submit(means, given, now=given.created)
    finally:
        await client.close()
