"""`gateway config check`: what the settings mean, what is laxer than it need be, what runs out."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from stat import S_IROTH
from typing import Final

from gateway.app.applying import policy_rule
from gateway.cli import direct_anchors as direct
from gateway.cli.config_audit import (
    audit_files,
    audit_in_words,
    lax_audit,
)
from gateway.cli.config_mail import helpless_mail, lax_mail, mail_files, mail_in_words
from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, settings_of
from gateway.cli.terminal import Failure, out
from gateway.exchange.expiring import Reliance, kept_in, named_by, warnings
from gateway.exchange.policy import rule_in_words
from gateway.intakes.publish import own_listings
from gateway.model.partner import Partner
from gateway.model.policy import Rule
from gateway.model.purpose import NHIN_CODES, TEFCA_CODES
from gateway.settings import InvalidSettings, Settings
from gateway.store import direct_keys, partners, plans, policy_rules
from gateway.store.database import Transaction, open_database
from gateway.store.own_keys import load_key_pair
from gateway.store.scope import ALL_PLANS

config_app = group("The settings.")

_LAX: Final = {
    "when_reachable": "a certificate is taken when its revocation cannot be looked up",
    "off": "revocation is not looked at",
}

_SECRETS: Final = frozenset({"key", "key_file", "checkpoint_key", "password_file"})


@config_app.command("check")
def check_config(config: ConfigOption = None) -> None:
    """Read the settings and say what they mean."""
    settings = settings_of(config)
    out.print(f"home community  {settings.home_community_id} ({settings.organization})")
    out.print(f"data            {settings.data_dir}, key file {settings.key_file}")
    names = ", ".join(plan.id for plan in settings.plans) or "none"
    out.print(f"plans           {names}")
    out.print(f"plans listen    {settings.listen.plans}")
    ready = settings.tls is not None and settings.signing is not None
    listening = settings.listen.partners if ready else "off: [tls] and [signing] are not set"
    out.print(f"partners listen {listening}")
    if settings.key_file.resolve().is_relative_to(settings.data_dir.resolve()):
        raise Failure("the key file lies inside the data folder; keep it elsewhere")
    for key, file in _named_files(settings):
        try:
            file.read_bytes()
        except OSError as error:
            raise Failure(f"{key}: {file} cannot be read: {error.strerror}") from None
    try:
        for usage, pair in (("tls", settings.tls), ("signing", settings.signing)):
            if pair is not None:
                load_key_pair(pair, usage)
        shown = list(_published(settings))
    except InvalidSettings as error:
        raise Failure(str(error)) from None
    stored = _stored(settings)
    rules = _rules(settings, stored)
    said = (*mail_in_words(settings), *audit_in_words(settings))
    for line in (*_networks(settings), *said, *rules, *shown):
        out.print(line)
    lax = (*_lax(settings, stored), *lax_mail(settings), *lax_audit(settings))
    lax = (*lax, *_open_to_all(settings), *_useless(settings, stored))
    relied_on = (*named_by(settings), *stored.certificates)
    for warning in (*lax, *warnings(relied_on, now=datetime.now(UTC))):
        out.print(f"warning: {warning}")


def _named_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Every file that must be there before the first start, with the key that names it."""
    for name, pair in (("tls", settings.tls), ("signing", settings.signing)):
        if pair is not None:
            yield f"{name}.certificate", pair.certificate
            yield f"{name}.key", pair.key
    for number, network in enumerate(settings.networks):
        for anchor in network.anchors:
            yield f"networks.{number}.anchors", anchor
    for file in settings.proxy.certificates if settings.proxy else ():
        yield "proxy.certificates", file
    for file in settings.publish.certificates if settings.publish else ():
        yield "publish.certificates", file
    yield from audit_files(settings)
    yield from mail_files(settings)


# ---- what the database adds ------------------------------------------------------------------


class _Stored:
    """Partners, rules and certificates; nothing where there is no database yet."""

    partners: tuple[Partner, ...] = ()
    rules: tuple[Rule, ...] = ()
    certificates: tuple[Reliance, ...] = ()
    mail_keys: tuple[direct_keys.DirectKey, ...] = ()
    trusted: frozenset[str | None] = frozenset()
    """The domains of ours for which there are Direct anchors; None for all of them."""
    direct: tuple[str, ...] = ()
    """Warnings about Direct anchors and bundles, in sentences."""
    remark: str | None = None


def _stored(settings: Settings) -> _Stored:
    found = _Stored()
    file = settings.database.removeprefix("sqlite:///")
    if settings.database.startswith("sqlite:") and not Path(file).exists():
        return found
    try:
        with closing(open_database(settings.database)) as database:
            database.read(lambda tx: _read(tx, found))
    except Exception as error:  # the door: its text may hold the database's password
        found.remark = f"the database was not looked at ({type(error).__name__})"
    return found


def _read(transaction: Transaction, found: _Stored) -> None:
    found.partners = partners.list_all(transaction, plan=ALL_PLANS)
    found.rules = tuple(
        rule
        for plan in plans.list_all(transaction)
        for rule in policy_rules.list_all(transaction, plan=plan.id)
    )
    found.certificates = tuple(kept_in(transaction))
    found.mail_keys = direct_keys.newest(transaction)
    found.trusted = direct.trusting(transaction)
    found.direct = tuple(direct.lax(transaction))


# ---- in words --------------------------------------------------------------------------------


def _networks(settings: Settings) -> Iterator[str]:
    for network in settings.networks:
        purposes = {"nhin": "NHIN", "tefca": "TEFCA", "rce": "RCE"}[network.purposes]
        revocation = _LAX.get(network.revocation, "revocation is looked up")
        anchors = f"{len(network.anchors)} anchors"
        yield f"network         {network.name}: {anchors}, purposes of {purposes}, {revocation}"
    if settings.proxy is not None:
        whom = "shows a pinned certificate" if settings.proxy.certificates else "is on this machine"
        yield f"proxy           its header {settings.proxy.header} is believed if it {whom}"


def _rules(settings: Settings, stored: _Stored) -> Iterator[str]:
    """The policy table, a sentence a rule; plans without one give nothing."""
    stated = settings.policy
    rules = stored.rules if stated is None else tuple(policy_rule(one) for one in stated.rules)
    names = {partner.id: partner.name for partner in stored.partners}
    for rule in rules:
        yield f"rule            {rule_in_words(rule, names)}"
    for plan in settings.plans:
        if not any(rule.plan == plan.id for rule in rules):
            yield f"rule            {plan.id} gives nothing to anyone: it has no rule"


def _published(settings: Settings) -> Iterator[str]:
    """What we show of ourselves to everybody, and where."""
    stated = settings.publish
    if stated is None:
        return
    where = [f"{name} at {at}" for name, at in (("DNS", stated.dns), ("LDAP", stated.ldap)) if at]
    shown = " and ".join(where) or "by nobody here; see `gateway direct publish`"
    if not stated.certificates:
        domains = ", ".join(stated.domains)
        yield f"published       the keys of `gateway direct keys`, of {domains}, {shown}"
    for one in own_listings(stated):
        yield f"published       {one.name}: {len(one.certificates)} certificates, {shown}"


# ---- warnings --------------------------------------------------------------------------------


def _lax(settings: Settings, stored: _Stored) -> Iterator[str]:
    for network in settings.networks:
        if network.revocation in _LAX:
            yield f"network {network.name}: {_LAX[network.revocation]}"
    for address in settings.revocation.private_addresses:
        yield f"revocation lists are also fetched from {address}, which need not be public"
    for address in settings.discovery.private_addresses:
        yield f"certificates are also looked for in LDAP at {address}, which need not be public"
    for partner in stored.partners:
        if partner.profile.bearer_accepted:
            yield f"{partner.name}: assertions are taken from whoever bears them"
        if not partner.profile.confirmation_required:
            yield f"{partner.name}: its answers need not confirm our signature"
        yield from _lax_to(partner, datetime.now(UTC).date())
    yield from stored.direct
    if stored.remark is not None:
        yield stored.remark
    else:
        yield from helpless_mail(settings, [one.owner for one in stored.mail_keys], stored.trusted)


def _open_to_all(settings: Settings) -> Iterator[str]:
    """Secrets that any account of this machine may read."""
    own = (("key_file", settings.key_file), ("audit.checkpoint_key", settings.checkpoint_key))
    for key, file in (*own, *_named_files(settings)):
        if key.rpartition(".")[2] in _SECRETS and file.exists() and file.stat().st_mode & S_IROTH:
            yield f"{key}: {file} may be read by everybody on this machine"


def _useless(settings: Settings, stored: _Stored) -> Iterator[str]:
    """What names nothing that there is: mostly a slip of the hand."""
    plans_known = {plan.id for plan in settings.plans}
    for rule in settings.policy.rules if settings.policy else ():
        if rule.plan not in plans_known:
            yield f"rule {rule.name}: there is no plan {rule.plan} in the settings"
        if rule.purpose is not None and rule.purpose not in NHIN_CODES | TEFCA_CODES:
            yield f"rule {rule.name}: there is no purpose {rule.purpose}, so it fits nothing"
    networks = {network.name for network in settings.networks}
    for partner in stored.partners:
        if partner.network is not None and partner.network not in networks:
            yield f"{partner.name}: there is no network {partner.network} in the settings"


def _lax_to(partner: Partner, today: date) -> Iterator[str]:
    """How what we send it is laxer than it need be."""
    if partner.profile.assertion.confirmation == "bearer":
        yield f"{partner.name}: our assertions to it hold for whoever bears them"
    until = partner.profile.sha1_until
    if until is None:
        return
    left = (until - today).days
    if left < 0:
        yield f"{partner.name}: our exception to sign with SHA-1 ended on {until}: it is not asked"
    else:
        yield f"{partner.name}: we sign with SHA-1 for it until {until}, {left} days from now"
