"""`gateway partners check`: a conformance report that can be sent to the partner."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import orjson
import typer

from gateway.app.house import House, open_client
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, member_of, opened, plan_of
from gateway.cli.printing import put
from gateway.cli.recording import operator, record, refusal
from gateway.cli.terminal import Exit, Failure, printable
from gateway.exchange.asking import Asking
from gateway.exchange.check_page import HEADS, render_check
from gateway.exchange.partner_check import check_partner
from gateway.exchange.partner_findings import Report
from gateway.exchange.policy import Refused, may_ask
from gateway.model.identity import ConversationId, MemberId, RetrievalId
from gateway.model.member import Member, Plan
from gateway.model.partner import RETIRED, Partner
from gateway.model.purpose import PurposeOfUse
from gateway.model.retrieval import Requester, Retrieval
from gateway.store import partners
from gateway.store.scope import ALL_PLANS
from ihe.discovery import Demographics


def check(
    name: Annotated[str, typer.Argument(help="The partner's name, or its home community id.")],
    member: Annotated[
        str | None,
        typer.Option(
            help="The plan's number of a test patient agreed with the partner: then documents, too."
        ),
    ] = None,
    purpose: Annotated[str, typer.Option(help="Purpose of use that is stated.")] = "OPERATIONS",
    markdown: Annotated[bool, typer.Option("--markdown", help="A report to send on.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write the report as a page to this file, for the partner to read."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds that a deferred result is waited for at most.")
    ] = 60.0,
    plan: PlanOption = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Walk a partner's endpoints and report what is not as the standards have it.

    Connection, TLS, clock and WSDL; then a discovery of a made-up person, a query for an unknown
    patient and a retrieve of an unknown document: nothing is disclosed. With --member it goes on
    to that patient's documents. A partner with deferred_discovery in its profile is asked a
    deferred question, too; its result comes to `gateway serve`, which must be up. Every request
    has its exchange record. Exit 0: nothing found; 3: it answers, with deviations; 1: it gave no
    answer.
    """
    try:
        stated = PurposeOfUse.parse(purpose)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from None
    with opened(config) as house:
        own = house.plan(plan_of(house, plan).id)
        if own is None:
            raise Failure("add the plan to gateway.toml before it asks others", Exit.USAGE)
        partner = _partner(house, own, name)
        patient = None
        if member is not None:
            patient = member_of(house, own.id, member, act="CLI-PARTNER-CHECK")
            _demand_allowed(house, patient, own, stated)
        house.database.write(
            lambda tx: record(
                tx,
                "CLI-PARTNER-CHECK",
                plan=own.id,
                partner=partner.id,
                member=None if patient is None else patient.id,
                purpose=stated.code,
            )
        )
        report = asyncio.run(_check(house, own, partner, stated, patient, wait))
    form = _json if json else _markdown if markdown else _text
    if html is not None:
        put(render_check(report), html)
    put(form(report), output)
    if report.deviations:
        raise typer.Exit(int(Exit.PARTLY if report.answers else Exit.FAILED))


def _partner(house: House, plan: Plan, name: str) -> Partner:
    known = house.database.read(lambda tx: partners.list_all(tx, plan=ALL_PLANS))
    usable = [one for one in known if one.plan in (None, plan.id)]
    found = [one for one in usable if name in (one.name, str(one.home_community_id), one.id)]
    if len({one.home_community_id for one in found}) != 1:
        what = f"more than one partner is called {name}" if found else f"there is no partner {name}"
        raise refusal(
            house,
            "CLI-PARTNER-CHECK",
            plan=plan.id,
            reason=what,
            advice="; see `gateway partners list`",
            exit_code=Exit.USAGE,
        )
    partner = next((one for one in found if one.plan == plan.id), found[0])
    if partner.profile.retired:
        raise refusal(house, "CLI-PARTNER-CHECK", plan=plan.id, reason=f"nothing asked: {RETIRED}")
    return partner


def _demand_allowed(house: House, patient: Member, plan: Plan, stated: PurposeOfUse) -> None:
    verdict = may_ask(
        patient,
        purpose=stated,
        requester=operator(),
        treatment_agreed=plan.treatment_agreement is not None,
        on=datetime.now(UTC).date(),
    )
    if isinstance(verdict, Refused):
        reason = f"nothing was asked: {verdict.reason}"
        raise refusal(house, "CLI-PARTNER-CHECK", plan=plan.id, reason=reason)


async def _check(
    house: House,
    plan: Plan,
    partner: Partner,
    stated: PurposeOfUse,
    patient: Member | None,
    wait_seconds: float,
) -> Report:
    now = datetime.now(UTC)
    nobody = Member(MemberId(str(uuid4())), plan.id, "", Demographics())
    retrieval = Retrieval(
        id=RetrievalId(str(uuid4())),
        plan=plan.id,
        member=(patient or nobody).id,
        purpose=stated.code,
        requester=Requester(operator(), plan.requester_role or "operator", plan.authority),
        conversation=ConversationId(str(uuid4())),
        created=now,
    )
    client = open_client(house)
    try:
        asking = Asking(
            house.archive,
            client,
            house.community,
            plan,
            patient or nobody,
            retrieval,
            house.settings.replies_at,
        )
        return await check_partner(asking, partner, member=patient, wait_seconds=wait_seconds)
    finally:
        await client.close()


# ---- the report ------------------------------------------------------------------------------


def _json(report: Report) -> str:
    shown = [one for one in report.findings if one.level != "answered"]
    form = {
        "partner": report.partner,
        "home_community_id": report.home_community_id,
        "checked": report.checked.isoformat(),
        "by": report.by,
        "answers": report.answers,
        "deviations": len(report.deviations),
        "findings": [asdict(one) for one in shown],
    }
    return orjson.dumps(form).decode()


def _text(report: Report) -> str:
    lines = [f"{report.partner} ({report.home_community_id}), {report.checked:%Y-%m-%d %H:%M} UTC"]
    for level, head in HEADS.items():
        found = [one for one in report.findings if one.level == level]
        if found:
            lines += ["", f"{head}: {len(found)}"]
        for one in found:
            lines.append(f"  {one.place}: {one.text}")
            if one.section is not None:
                lines.append(f"      rule      {one.section}")
            if one.fragment is not None:
                lines.append(f"      fragment  {one.fragment}")
            if one.message_id is not None:
                lines.append(f"      request   {one.message_id}")
    if not report.deviations:
        lines += ["", "No deviations found."]
    return printable("\n".join(lines))


def _markdown(report: Report) -> str:
    lines = [
        f"# Conformance report: {report.partner}",
        "",
        f"Home community {report.home_community_id}, checked by {report.by} at"
        f" {report.checked:%Y-%m-%d %H:%M} UTC. Fragments are redacted: `…` stands for content.",
    ]
    for level, head in HEADS.items():
        found = [one for one in report.findings if one.level == level]
        if found:
            lines += ["", f"## {head}", ""]
        for number, one in enumerate(found, 1):
            lines.append(f"{number}. **{one.place}**: {one.text}")
            for what, said in (("Rule", one.section), ("Request", one.message_id)):
                if said is not None:
                    lines.append(f"   {what}: {said}  ")
            if one.fragment is not None:
                lines.append(f"   Fragment: `{one.fragment.replace('`', chr(39))}`")
    if not report.deviations:
        lines += ["", "No deviations were found."]
    return printable("\n".join(lines))
