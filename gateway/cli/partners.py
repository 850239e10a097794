"""`gateway partners`: whom we exchange with, from partner files."""

import tomllib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich.table import Table

from gateway.cli.directories import import_directory
from gateway.cli.groups import group
from gateway.cli.ledger import show_ledger
from gateway.cli.opening import ConfigOption, JsonOption, PlanOption, opened
from gateway.cli.partner_check import check
from gateway.cli.partner_lessons import lessons_app
from gateway.cli.partner_quirks import say_what_is_known
from gateway.cli.recording import record, record_look
from gateway.cli.terminal import Exit, Failure, err, out, printable
from gateway.exchange.expiring import Reliance, kept_in, warnings
from gateway.model.identity import PartnerId, PlanId
from gateway.model.partner import RETIRED, Delegation, Endpoints, Partner, PartnerProfile
from gateway.model.partner_quirks import Quirk, quirks_of
from gateway.model.partner_state import Health
from gateway.model.trust import certificate
from gateway.settings_wrong import in_words
from gateway.store import delegations, partner_health, partners
from gateway.store.database import Transaction
from gateway.store.scope import ALL_PLANS
from ihe.identifiers import HomeCommunityId

_LONGEST_EXCEPTION: Final = timedelta(days=366)
"""An exception is looked at again at least once a year."""

partners_app = group("The communities you exchange with.")

partners_app.command("check")(check)
partners_app.add_typer(lessons_app, name="lessons")


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
        networks = {network.name for network in house.settings.networks}
        house.database.write(partial(_put, found))
        kept = house.database.read(lambda tx: tuple(kept_in(tx)))
    out.print(f"{len(found)} partners added or changed")
    for sentence in _run_out(kept, {one.partner.id for one in found}):
        err.print(f"gateway: warning: {printable(sentence)}")
    for partner in (one.partner for one in found):
        if partner.network is not None and partner.network not in networks:
            # It is then trusted by its own certificates alone, or not at all.
            err.print(
                f"gateway: warning: {printable(partner.name)}: there is no network"
                f" {printable(partner.network)} in the settings"
            )
    for one in found:
        say_what_is_known(one.partner)


def _run_out(kept: Iterable[Reliance], added: Container[str]) -> Iterator[str]:
    """What has run out already; what will is for `config check`."""
    now = datetime.now(UTC)
    theirs = (one for one in kept if one.kind == "partner" and one.name in added)
    ended = (one for one in theirs if one.certificate and one.certificate.not_valid_after_utc < now)
    return warnings(ended, now=now)


class _Form(BaseModel):
    """A partner file's keys; the parts are those of the model itself."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1)
    home_community_id: str
    network: str | None = None
    endpoints: Endpoints = Endpoints()
    tls_certificates: list[str] = []
    signing_certificates: list[str] = []
    profile: PartnerProfile = PartnerProfile()
    delegates: dict[str, list[str]] = {}
    """Organizations of the partner, and who may ask in the name of each; OIDs."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A partner, and the delegations of its organizations."""

    partner: Partner
    delegations: tuple[Delegation, ...]


def _put(found: list[_Listed], transaction: Transaction) -> None:
    for one in found:
        partner = one.partner
        partners.put(transaction, partner)
        delegations.put(transaction, partner, one.delegations)
        # Whatever ailed it may be mended by this: it is not left alone any longer.
        partner_health.succeeded(transaction, partner=partner.id)
        record(transaction, "CLI-PARTNER-ADD", plan=partner.plan, partner=partner.id)


def _read(file: Path) -> list[_Form]:
    try:
        content = file.read_text(encoding="utf-8-sig")
        read = orjson.loads(content) if file.suffix == ".json" else tomllib.loads(content)
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", Exit.USAGE) from None
    except UnicodeDecodeError:
        raise Failure(f"{file} is not text in UTF-8", Exit.USAGE) from None
    except ValueError as error:
        raise Failure(f"{file} is not valid: {error}", Exit.USAGE) from None
    if isinstance(read, dict) and "partners" in read:
        read = read["partners"]
    forms = [_seeded(form) for form in (read if isinstance(read, list) else [read])]
    if not forms:
        raise Failure(f"{file} names no partner", Exit.USAGE)
    return [_form(form, f"{file}, partner {number}") for number, form in enumerate(forms, 1)]


def _seeded(form: Any) -> Any:
    """The form with what is known of such a community, where it says nothing itself."""
    if not isinstance(form, dict) or not isinstance(form.get("profile", {}), dict):
        return form
    known: dict[str, Any] = {}
    for quirk in _quirks(form):
        known.update(quirk.profile)
    return {**form, "profile": {**known, **form.get("profile", {})}} if known else form


def _quirks(form: Any) -> list[Quirk]:
    name, endpoints = form.get("name"), form.get("endpoints", {})
    addresses = endpoints if isinstance(endpoints, dict) else {}
    given = [
        one if isinstance(one, str) else None
        for one in (addresses.get(key) for key in ("iti55", "iti38", "iti39"))
    ]
    try:
        home = HomeCommunityId.parse(str(form.get("home_community_id")))
    except ValueError:
        return []
    return list(quirks_of(str(name), home, Endpoints(given[0], given[1], given[2])))


def _form(form: Any, place: str) -> _Form:
    try:
        return _Form.model_validate_json(orjson.dumps(form, default=str))
    except ValidationError as error:
        raise Failure(f"{place} is not usable: {in_words(error)}", Exit.USAGE) from None


def _partner(form: _Form, folder: Path, plan: str | None) -> _Listed:
    try:
        home = HomeCommunityId.parse(form.home_community_id)
        _check(form)
        partner = Partner(
            id=PartnerId(str(home) if plan is None else f"{plan}:{home}"),
            name=form.name,
            home_community_id=home,
            endpoints=form.endpoints,
            network=form.network,
            plan=PlanId(plan) if plan else None,
            tls_certificates=_pems(form.tls_certificates, folder),
            signing_certificates=_pems(form.signing_certificates, folder),
            profile=form.profile,
        )
        return _Listed(partner, tuple(_delegations(form)))
    except ValueError as error:
        name = form.name
        raise Failure(f"the partner {name} is not usable: {error}", Exit.USAGE) from None


def _check(form: _Form) -> None:
    """What no type says.

    Raises:
        ValueError: which key is wrong and why.
    """
    for name in ("iti55", "iti56", "iti38", "iti39", "iti41", "iti80"):
        address = getattr(form.endpoints, name)
        if address is not None and not address.lower().startswith("https://"):
            raise ValueError(f"endpoints.{name} must be an https address")
    if not all(address.lower().startswith("https://") for address in form.endpoints.replies):
        raise ValueError("endpoints.replies must be https addresses")
    if not form.profile.answer_within_seconds > 0:
        raise ValueError("profile.answer_within_seconds must be above 0")
    if not 0 <= form.profile.minimum_degree_match <= 100:
        raise ValueError("profile.minimum_degree_match must be 0 to 100")
    if form.profile.query_window_days is not None and form.profile.query_window_days < 1:
        raise ValueError("profile.query_window_days must be 1 or more")
    if not form.profile.timeout_seconds > 0:
        raise ValueError("profile.timeout_seconds must be above 0")
    if form.profile.attempts < 1 or form.profile.members_at_once < 1:
        raise ValueError("profile.attempts and profile.members_at_once must be 1 or more")
    if not 0 <= form.profile.pause_seconds <= 60:
        raise ValueError("profile.pause_seconds must be 0 to 60")
    if form.profile.documents_per_retrieve < 1:
        raise ValueError("profile.documents_per_retrieve must be 1 or more")
    _check_exceptions(form.profile)


def _check_exceptions(profile: PartnerProfile) -> None:
    until, today = profile.sha1_until, datetime.now(UTC).date()
    if until is not None and not today <= until <= today + _LONGEST_EXCEPTION:
        raise ValueError("profile.sha1_until must be a day from today to a year from now")
    if profile.audience is not None and not profile.audience.strip():
        raise ValueError("profile.audience must be a URI, or endpoint")


def _delegations(form: _Form) -> Iterator[Delegation]:
    for principal, delegates in form.delegates.items():
        for delegate in delegates:
            try:
                yield Delegation(
                    HomeCommunityId.parse(principal).oid, HomeCommunityId.parse(delegate).oid
                )
            except ValueError:
                raise ValueError("delegates maps one OID to a list of OIDs") from None


def _pems(given: list[str], folder: Path) -> tuple[str, ...]:
    """PEM texts, given as such or as files beside the partner file."""
    found = []
    for text in given:
        path = None
        if "-----BEGIN" not in text:
            path = folder / text
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise Failure(f"{path} cannot be read: {error.strerror}", Exit.USAGE) from None
        try:
            certificate(text)
        except ValueError:
            raise ValueError(f"{path or 'a certificate'} is no PEM certificate") from None
        found.append(text)
    return tuple(found)


@partners_app.command("list")
def list_partners(json: JsonOption = False, config: ConfigOption = None) -> None:
    """All partners, by name."""
    with opened(config) as house:
        found = house.database.read(lambda tx: partners.list_all(tx, plan=ALL_PLANS))
        record_look(house, "CLI-PARTNERS", plan=None)
        ailing = {one.partner: one for one in house.database.read(partner_health.list_all)}
    if json:
        for partner in found:
            form = {"id": partner.id, "name": partner.name, "plan": partner.plan}
            home = {"home_community_id": str(partner.home_community_id)}
            health = {"health": _health(ailing.get(partner.id))}
            state = {"retired": partner.profile.retired, **health}
            typer.echo(orjson.dumps({**form, **home, **state}).decode())
        return
    if not found:
        out.print("No partners yet. `gateway partners add partner.toml` takes a partner file.")
        return
    table = Table("name", "home community", "network", "plan", "discovery at")
    for partner in found:
        table.add_row(
            printable(partner.name),
            str(partner.home_community_id),
            partner.network or "",
            partner.plan or "all",
            RETIRED if partner.profile.retired else partner.endpoints.iti55 or "",
        )
    out.print(table)
    for partner in found:
        if partner.id in ailing:
            out.print(f"{printable(partner.name)}: {printable(_state(ailing[partner.id]))}")


def _state(health: Health) -> str:
    times = f"failed {health.failures} times since {health.since:%Y-%m-%d %H:%M}: {health.reason}"
    rest = "" if health.until is None else f"left alone until {health.until:%H:%M:%S} UTC; "
    return rest + times


def _health(health: Health | None) -> dict[str, Any] | None:
    """None of a partner that answers."""
    if health is None:
        return None
    return {
        "failures": health.failures,
        "since": health.since.isoformat(),
        "until": health.until.isoformat() if health.until else None,
        "reason": health.reason,
    }


partners_app.command("import")(import_directory)
partners_app.command("ledger")(show_ledger)
