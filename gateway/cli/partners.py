"""`gateway partners`: whom we exchange with, from partner files."""

import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened
from gateway.cli.terminal import Exit, Failure, out
from gateway.model.identity import PartnerId, PlanId
from gateway.model.partner import Endpoints, Partner, PartnerProfile
from gateway.model.trust import certificate
from gateway.store import partners
from gateway.store.database import Transaction
from gateway.store.scope import ALL_PLANS
from ihe.identifiers import HomeCommunityId

partners_app = typer.Typer(help="The communities you exchange with.", no_args_is_help=True)


@partners_app.command("add")
def add_partners(
    file: Annotated[Path, typer.Argument(help="TOML or JSON: one partner, or `partners` of many.")],
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """Add or change partners. Without --plan they serve all plans of the house."""
    found = [_partner(form, file.parent, plan) for form in _read(file)]
    with opened(config) as house:
        if plan is not None and house.plan(plan) is None:
            raise Failure(f"there is no plan {plan}; add it to gateway.toml", Exit.USAGE)
        house.database.write(partial(_put, found))
    out.print(f"{len(found)} partners added or changed")


def _put(found: list[Partner], transaction: Transaction) -> None:
    for partner in found:
        partners.put(transaction, partner)


def _read(file: Path) -> list[Mapping[str, Any]]:
    try:
        content = file.read_text(encoding="utf-8")
        form = orjson.loads(content) if file.suffix == ".json" else tomllib.loads(content)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", Exit.USAGE) from None
    except ValueError as error:
        raise Failure(f"{file} is not valid: {error}", Exit.USAGE) from None
    if isinstance(form, list):
        return form
    return form["partners"] if "partners" in form else [form]


def _partner(form: Mapping[str, Any], folder: Path, plan: str | None) -> Partner:
    known = {
        "name", "home_community_id", "network", "endpoints", "tls_certificates",
        "signing_certificates", "profile",
    }  # fmt: skip
    unknown = sorted(set(form) - known)
    if unknown:
        raise Failure(f"a partner has no key {', '.join(unknown)}", Exit.USAGE)
    try:
        home = HomeCommunityId.parse(form["home_community_id"])
        return Partner(
            id=PartnerId(str(home) if plan is None else f"{plan}:{home}"),
            name=form["name"],
            home_community_id=home,
            endpoints=Endpoints(**form.get("endpoints", {})),
            network=form.get("network"),
            plan=PlanId(plan) if plan else None,
            tls_certificates=_pems(form.get("tls_certificates", ()), folder),
            signing_certificates=_pems(form.get("signing_certificates", ()), folder),
            profile=PartnerProfile(**form.get("profile", {})),
        )
    except KeyError as error:
        raise Failure(f"a partner needs the key {error.args[0]}", Exit.USAGE) from None
    except (TypeError, ValueError) as error:
        raise Failure(f"a partner is not usable: {error}", Exit.USAGE) from None


def _pems(given: list[str], folder: Path) -> tuple[str, ...]:
    """PEM texts, given as such or as files beside the partner file."""
    found = []
    for text in given:
        if "-----BEGIN" not in text:
            path = folder / text
            try:
                text = path.read_text(encoding="ascii")
            except OSError as error:
                raise Failure(f"{path} cannot be read: {error.strerror}", Exit.USAGE) from None
        certificate(text)
        found.append(text)
    return tuple(found)


@partners_app.command("list")
def list_partners(json: JsonOption = False, config: ConfigOption = None) -> None:
    """All partners, by name."""
    with opened(config) as house:
        found = house.database.read(lambda tx: partners.list_all(tx, plan=ALL_PLANS))
    if json:
        for partner in found:
            form = {"id": partner.id, "name": partner.name, "plan": partner.plan}
            home = {"home_community_id": str(partner.home_community_id)}
            typer.echo(orjson.dumps({**form, **home}).decode())
        return
    if not found:
        out.print("No partners yet. `gateway partners add partner.toml` takes a partner file.")
        return
    table = Table("name", "home community", "network", "plan", "discovery at")
    for partner in found:
        table.add_row(
            partner.name,
            str(partner.home_community_id),
            partner.network or "",
            partner.plan or "all",
            partner.endpoints.iti55 or "",
        )
    out.print(table)
