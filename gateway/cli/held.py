"""`gateway held`: what waits for a person, how it is decided, and the way back."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from gateway.api.documents import document_form
from gateway.api.held import full_match_form, match_form
from gateway.app.house import House
from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, member_of, opened, plan_of
from gateway.cli.recording import record, record_look, refusal
from gateway.cli.terminal import Failure, err, id_column, out, printable
from gateway.exchange.deciding import (
    NothingToDecide,
    decide_match,
    file_as,
    find_match,
    read_held,
    reject_document,
    undo_document,
    undo_match,
    unfile,
)
from gateway.exchange.person_words import person_words
from gateway.model.document import Document, DocumentState
from gateway.model.identity import DocumentId, PlanId
from gateway.model.link import Link
from gateway.model.member import Plan
from gateway.store import documents, links, members, partners
from gateway.store.errors import UnknownId
from gateway.store.transaction import Transaction

held_app = group("Documents and matches that wait for a person.")
ItemArgument = Annotated[
    str, typer.Argument(help="The id that `held list`, or `held list --member`, shows.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why: it stands in the exchange log beside your name.")
]


@held_app.command("list")
def list_held(
    member: Annotated[
        str | None,
        typer.Option(
            help="Instead: all matches of the member with this number, also those in no doubt."
        ),
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="Go on after the one of this id: the last one shown.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 100,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What no rule could decide: documents that name no member surely enough, doubtful matches.

    Those that have waited longest come first, documents before matches.
    """
    with opened(config) as house:
        own = plan_of(house, plan).id
        if member is not None:
            _list_matches(house, own, member, json=json)
            return
        try:
            kept, matches = house.database.read(lambda tx: _page(tx, own, after, limit))
        except UnknownId:
            reason = "nothing of that id is there to go on after"
            raise refusal(house, "CLI-HELD", plan=own, reason=reason) from None
        numbers = house.database.read(lambda tx: _numbers(tx, own, kept, matches))
        record_look(house, "CLI-HELD", plan=own, documents=tuple(document.id for document in kept))
    if json:
        for form in (*map(document_form, kept), *map(match_form, matches)):
            typer.echo(orjson.dumps(form).decode())
    else:
        _print(kept, matches, numbers)
    if len(kept) + len(matches) == limit:
        last = matches[-1].id if matches else kept[-1].id
        err.print(f"there may be more: `gateway held list --after {last}`")


def _page(
    transaction: Transaction, plan: PlanId, after: str | None, limit: int
) -> tuple[tuple[Document, ...], tuple[Link, ...]]:
    """The documents and then the matches that come after that one.

    Raises:
        UnknownId: there is no such one.
    """
    last = None if after is None else DocumentId(after)
    if last is None or documents.get(transaction, plan=plan, document=last) is not None:
        kept = documents.list_page(transaction, plan=plan, state="held", after=last, limit=limit)
        return kept, links.held(transaction, plan=plan, limit=limit - len(kept))
    match = find_match(transaction, plan=plan, match=last)
    if match is None:
        raise UnknownId("match", last)
    return (), links.held(transaction, plan=plan, after=links.place(match), limit=limit)


def _print(kept: Sequence[Document], matches: Sequence[Link], numbers: Mapping[str, str]) -> None:
    if not kept and not matches:
        out.print("None.")
        return
    if kept:
        table = Table(id_column(36), "received", "title", "why")
        for document in kept:
            received = document.received.date().isoformat()
            why = _why(numbers.get(document.candidate or ""), document.reason)
            table.add_row(document.id, received, printable(document.title), why)
        out.print(table)
        out.print("A document: `gateway held file ID MEMBER`, or `gateway held reject ID`.")
    if matches:
        table = Table(id_column(20), "found", "patient id there", "why")
        for match in matches:
            found, why = (
                match.found.date().isoformat(),
                _why(numbers.get(match.member), match.detail),
            )
            table.add_row(match.id, found, printable(match.patient_id.cx), why)
        out.print(table)
        out.print("A match: `gateway held confirm ID`, or `gateway held reject ID`; what is known")
        out.print("of both people: `gateway held list --member NUMBER`.")


def _list_matches(house: House, plan: PlanId, number: str, *, json: bool) -> None:
    """By which patient ids communities know the member, and what they know of that patient."""
    member = member_of(house, plan, number, act="CLI-HELD")
    found = house.database.read(lambda tx: links.of_member(tx, plan=plan, member=member.id))
    known = house.database.read(lambda tx: partners.list_all(tx, plan=plan))
    record_look(house, "CLI-HELD", plan=plan, member=member.id)
    if json:
        for form in map(full_match_form, found):
            typer.echo(orjson.dumps(form).decode())
        return
    if not found:
        out.print("None.")
        return
    names = {partner.id: partner.name for partner in known}
    out.print(f"the member: {printable(person_words(member.demographics))}")
    for match in found:
        state = f"{match.state} by a person" if match.is_decided else match.state
        why = f": {printable(match.detail)}" if match.detail else ""
        there = "not kept" if match.known is None else person_words(match.known)
        out.print(f"\n{match.id}  {state}{why}")
        who = names.get(match.partner, match.partner)
        out.print(f"  at {printable(who)}, as {printable(match.patient_id.cx)}")
        out.print(f"  there: {printable(there)}")
    out.print(
        "\n`gateway held confirm ID` or `gateway held reject ID`; `gateway held undo ID` takes it"
        " back."
    )


def _why(member: str | None, reason: str | None) -> str:
    """The doubt, and of whom of ours it is."""
    perhaps = f"perhaps member {member}" if member else None
    return printable("; ".join(filter(None, (perhaps, reason))))


def _numbers(
    transaction: Transaction, plan: PlanId, kept: Sequence[Document], matches: Sequence[Link]
) -> dict[str, str]:
    """The plan's own numbers of the members in question."""
    meant = {one.candidate for one in kept if one.candidate} | {one.member for one in matches}
    found = (members.get(transaction, plan=plan, member=member) for member in meant)
    return {member.id: member.member_id for member in found if member is not None}


@held_app.command("file")
def file_held(
    document: ItemArgument,
    member: Annotated[str, typer.Argument(help="The plan's number of the member it is of.")],
    reason: ReasonOption,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The document is this member's: it counts in the summary from now on."""
    with opened(config) as house:
        own = plan_of(house, plan)
        owner = member_of(house, own.id, member, act="CLI-HELD-FILE")

        def decided() -> dict[str, Any]:
            received = asyncio.run(
                read_held(house.archive, _the_document(house, own, document), own)
            )
            filing = file_as(
                received,
                DocumentId(document),
                member=owner,
                community=house.community,
                now=datetime.now(UTC),
            )

            def unit(transaction: Transaction) -> Document:
                filed = filing(transaction)
                record(
                    transaction,
                    "CLI-HELD-FILE",
                    plan=own.id,
                    member=owner.id,
                    documents=(filed.id,),
                    reason=reason,
                )
                return filed

            return document_form(house.database.write(unit))

        _say(_attempt(house, own.id, "CLI-HELD-FILE", decided), json=json)


@held_app.command("confirm")
def confirm_match(
    match: ItemArgument,
    reason: ReasonOption,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The match is one: the next retrieval asks that community for the member's documents."""

    def unit(transaction: Transaction, own: PlanId) -> dict[str, Any]:
        done = decide_match(transaction, plan=own, match=match, verdict="confirmed")
        return _recorded_match(transaction, "CLI-HELD-CONFIRM", done, reason)

    _decide("CLI-HELD-CONFIRM", unit, plan, json=json, config=config)


@held_app.command("reject")
def reject_held(
    item: ItemArgument,
    reason: ReasonOption,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The document is of nobody here, or the match is none: that patient is asked for no more."""

    def unit(transaction: Transaction, own: PlanId) -> dict[str, Any]:
        if find_match(transaction, plan=own, match=item) is not None:
            done = decide_match(transaction, plan=own, match=item, verdict="rejected")
            return _recorded_match(transaction, "CLI-HELD-REJECT", done, reason)
        gone = reject_document(transaction, plan=own, document=DocumentId(item), reason=reason)
        return _recorded(transaction, "CLI-HELD-REJECT", gone, reason)

    _decide("CLI-HELD-REJECT", unit, plan, json=json, config=config)


@held_app.command("undo")
def undo_held(
    item: ItemArgument,
    reason: ReasonOption,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take back what was decided: the document or the match waits again."""

    def unit(transaction: Transaction, own: PlanId) -> dict[str, Any]:
        if find_match(transaction, plan=own, match=item) is not None:
            done = undo_match(transaction, plan=own, match=item)
            return _recorded_match(transaction, "CLI-HELD-UNDO", done, reason)
        now = datetime.now(UTC)
        waits = undo_document(transaction, plan=own, document=DocumentId(item), now=now)
        return _recorded(transaction, "CLI-HELD-UNDO", waits, reason, waits.candidate)

    _decide("CLI-HELD-UNDO", unit, plan, json=json, config=config)


@held_app.command("unfile")
def unfile_document(
    document: Annotated[str, typer.Argument(help="The id of the filed document.")],
    reason: ReasonOption,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take a wrongly filed document out of its member's record: summary, exports and offers."""

    def unit(transaction: Transaction, own: PlanId) -> dict[str, Any]:
        known, now = DocumentId(document), datetime.now(UTC)
        before = documents.get(transaction, plan=own, document=known)
        done = unfile(transaction, plan=own, document=known, reason=reason, now=now)
        owner = before.member if before else None
        return _recorded(transaction, "CLI-DOCUMENT-UNFILE", done, reason, owner)

    _decide("CLI-DOCUMENT-UNFILE", unit, plan, json=json, config=config)
    if not json:
        out.print(
            "If a partner takes somebody else for the member, reject that match, too:"
            " `gateway held list --member NUMBER`."
        )


# ---- what the commands share -----------------------------------------------------------------


def all_documents(
    transaction: Transaction, plan: PlanId, state: DocumentState
) -> tuple[Document, ...]:
    """Every document of that state, in the order they came."""
    found: list[Document] = []
    last = None
    while page := documents.list_page(transaction, plan=plan, state=state, after=last, limit=1000):
        found += page
        last = page[-1].id
    return tuple(found)


def _the_document(house: House, plan: Plan, document: str) -> Document:
    found = house.database.read(
        lambda tx: documents.get(tx, plan=plan.id, document=DocumentId(document))
    )
    if found is None:
        raise UnknownId("document", document)
    return found


def _recorded(
    transaction: Transaction,
    name: str,
    document: Document,
    reason: str,
    member: Any = None,
) -> dict[str, Any]:
    record(
        transaction,
        name,
        plan=document.plan,
        member=member,
        documents=(document.id,),
        reason=reason,
    )
    return document_form(document)


def _recorded_match(
    transaction: Transaction, name: str, match: Link, reason: str
) -> dict[str, Any]:
    record(
        transaction,
        name,
        plan=match.plan,
        member=match.member,
        partner=match.partner,
        reason=reason,
    )
    return match_form(match)


def _decide(
    name: str,
    unit: Callable[[Transaction, PlanId], dict[str, Any]],
    plan: str | None,
    *,
    json: bool,
    config: ConfigOption,
) -> None:
    """Does the unit in the plan that was named, and says what came of it."""
    with opened(config) as house:
        own = plan_of(house, plan).id
        form = _attempt(house, own, name, lambda: house.database.write(lambda tx: unit(tx, own)))
    _say(form, json=json)


def _attempt(
    house: House, plan: PlanId, name: str, act: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What the act did; that it could do nothing is recorded too."""
    try:
        return act()
    except (NothingToDecide, UnknownId) as error:
        why = str(error)
        house.database.write(lambda tx: record(tx, name, plan=plan, outcome="refused", reason=why))
        raise Failure(f"nothing was changed: {why}") from None


def _say(form: dict[str, Any], *, json: bool) -> None:
    if json:
        typer.echo(orjson.dumps(form).decode())
    else:
        why = f": {printable(form['reason'])}" if form["reason"] else ""
        out.print(f"{form['state']}{why}")
