"""What the settings say, made so at the start; a change of them leaves a record that names it."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.exchange.atna_acts import POLICY, SETTINGS
from gateway.model.exchange import Exchange
from gateway.model.identity import PartnerId, PlanId
from gateway.model.member import Plan
from gateway.model.policy import Rule
from gateway.settings import InvalidSettings, Settings
from gateway.settings import Rule as RuleSettings
from gateway.store import exchange_log, plans, policy_rules, settings_seen
from gateway.store.transaction import Transaction

_CERTIFICATES: Final = frozenset({"certificate", "certificates", "anchors"})
"""Settings that name files whose content is the setting: another certificate is another partner."""
_WHERE_IT_LIES: Final = ("data_dir", "key_file", "database_url")
"""With another of these it is another house, or the same one moved: nothing in it changes."""
_NAMED_BY: Final = ("id", "name")


def apply_settings(
    transaction: Transaction, settings: Settings, known: Sequence[Plan], *, stated: Settings | None
) -> None:
    """Makes the database say what the settings say of plans and rules, and records what changed.

    `stated` are the settings without what a command adds to them for itself; None in a process that
    was handed them by another, which has looked.
    A folder that no process has opened before has no settings to differ from: its first leave no
    record. After that every process that finds others than the last one did records it, in the
    transaction that puts them into force.

    Raises:
        InvalidSettings: a rule names a plan that there is not.
    """
    changes = None
    if stated is not None:
        changes = settings_seen.changed(transaction, dict(stated_settings(stated)))
    for plan in known:
        plans.put(transaction, plan)
    rules = _apply_rules(transaction, settings, known)
    if changes is None:
        return
    now = datetime.now(UTC)
    if changes:
        _note(transaction, now, SETTINGS, None, f"changed: {', '.join(changes)}")
    for plan_id, texts in rules.items():
        _note(transaction, now, POLICY, plan_id, "; ".join(texts))


def stated_settings(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each setting by its dotted name, as text that differs when it does.

    Of a certificate it tells the file's content too. What is in a private key's file it does not
    read: a new key comes with a new certificate.
    """
    yield from _leaves("", settings.model_dump(exclude=set(_WHERE_IT_LIES) | {"policy"}))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    elif _is_named(value):
        for one in value:
            yield from _leaves(f"{path}.{_name(one)}", one)
    else:
        read = path.rpartition(".")[2] in _CERTIFICATES
        yield path, repr(_with_content(value) if read else value)


def _is_named(value: Any) -> bool:
    """Whether it is a list whose members have names of their own."""
    if not isinstance(value, list | tuple) or not value:
        return False
    names = [_name(one) for one in value if isinstance(one, Mapping)]
    return None not in names and len(set(names)) == len(value)


def _name(one: Mapping[str, Any]) -> str | None:
    return next((str(one[key]) for key in _NAMED_BY if one.get(key)), None)


def _with_content(value: Any) -> list[tuple[str, str | None]]:
    files = value if isinstance(value, list | tuple) else [value]
    return [(str(file), _content(file)) for file in files if file is not None]


def _content(file: Any) -> str | None:
    """A digest of the file; None of one that cannot be read, which others will say."""
    if not isinstance(file, Path):
        return None
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


# ---- rules -----------------------------------------------------------------------------------


def _apply_rules(
    transaction: Transaction, settings: Settings, known: Sequence[Plan]
) -> dict[PlanId, list[str]]:
    """Puts the stated rules in the place of those that stand; what changed, in words, by plan."""
    if settings.policy is None:
        return {}
    stated = {(PlanId(one.plan), one.name): policy_rule(one) for one in settings.policy.rules}
    for plan_id, name in stated:
        if plan_id not in {plan.id for plan in known}:
            raise InvalidSettings(f"[policy] rule {name} names an unknown plan")
    standing = {
        (rule.plan, rule.name): rule
        for plan in known
        for rule in policy_rules.list_all(transaction, plan=plan.id)
    }
    changes: dict[PlanId, list[str]] = {}
    for plan_id, name in sorted(stated.keys() | standing.keys()):
        new, old = stated.get((plan_id, name)), standing.get((plan_id, name))
        if new == old:
            continue
        if new is None:
            policy_rules.remove(transaction, plan=plan_id, name=name)
        else:
            policy_rules.put(transaction, new)
        word = "removed" if new is None else "added" if old is None else "changed"
        changes.setdefault(plan_id, []).append(f"rule {name!r} {word}")
    return changes


def policy_rule(stated: RuleSettings) -> Rule:
    """A rule of the settings."""
    return Rule(
        name=stated.name,
        plan=PlanId(stated.plan),
        partner=PartnerId(stated.partner) if stated.partner else None,
        purpose=stated.purpose,
        class_code=stated.class_code,
        confidentiality=stated.confidentiality,
        third_party=stated.third_party,
        on_demand=stated.on_demand,
        locations=stated.locations,
        direction=stated.direction,
    )


def _note(
    transaction: Transaction, now: datetime, name: str, plan: PlanId | None, reason: str
) -> None:
    peer = f"process {os.getpid()}"
    record = Exchange(now, "in", name, "success", plan=plan, peer=peer, reason=reason)
    exchange_log.append(transaction, record)
