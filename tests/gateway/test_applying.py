"""A change of settings or rules found at the start is on record by name, and never by value."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app.house import open_house
from gateway.model.exchange import Exchange
from gateway.model.policy import Rule as StoredRule
from gateway.settings import InvalidSettings, Limits, Listen, Policy, Rule, Settings
from gateway.settings_audit import Audit, PublishedTo
from gateway.store import policy_rules
from tests.gateway.clients.asking_house import PLAN, settings
from tests.gateway.house import key_files, whole_log

RULE = Rule(name="all for payment", plan=PLAN, purpose="PAYMENT")


def opened(given: Settings, stated: Settings | None = None) -> tuple[Exchange, ...]:
    """What the log holds once a process has opened the house with these."""
    with open_house(given, stated=stated) as house:
        return tuple(whole_log(house))


def changed(given: Settings, **changes: Any) -> Settings:
    return Settings(**{**given.model_dump(), **changes})


def told(found: Iterable[Exchange]) -> list[tuple[str, str | None, str | None]]:
    return [(one.transaction, one.plan, one.reason) for one in found]


def test_the_first_settings_and_the_same_again_are_no_change(tmp_path: Path) -> None:
    given = changed(settings(tmp_path), policy=Policy(rules=(RULE,)))
    assert opened(given) == ()
    assert opened(given) == ()


def test_what_changed_is_named_and_not_to_what(tmp_path: Path) -> None:
    given = settings(tmp_path)
    opened(given)
    secret = "an-address-of-nobody.example"
    more = changed(
        given,
        limits=Limits(query_results=7),
        listen=Listen(partners="127.0.0.1:1", plans=given.listen.plans, public=f"https://{secret}"),
        plans=[replace_in(one, authority="2.999.5") for one in given.model_dump()["plans"]],
        audit=Audit(publish=(PublishedTo(folder=tmp_path),)),
    )
    (record,) = opened(more)
    assert (record.transaction, record.outcome, record.plan) == ("SETTINGS", "success", None)
    assert record.peer is not None and record.peer.startswith("process ")
    assert record.reason == (
        f"changed: audit.publish, limits.query_results, listen.operations, listen.partners, "
        f"listen.public, plans.{PLAN}.authority"
    )
    assert len(opened(more)) == 1
    back = opened(given)
    assert [one.reason for one in back] == [record.reason] * 2


def replace_in(one: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**one, **changes}


def test_another_certificate_in_the_same_file_is_a_change(tmp_path: Path) -> None:
    given = settings(tmp_path / "house")
    first, second = (key_files(name) for name in ("Our gateway", "Audit repository"))
    (tmp_path / "own.pem").write_bytes(first[0].read_bytes())
    pair = {"certificate": tmp_path / "own.pem", "key": first[1]}
    own = changed(given, tls=pair)
    opened(own)
    assert opened(own) == ()
    (tmp_path / "own.pem").write_bytes(second[0].read_bytes())
    (record,) = opened(own)
    assert record.reason == "changed: tls.certificate"


def test_rules_are_recorded_for_their_plan_as_they_come_change_and_go(tmp_path: Path) -> None:
    given = settings(tmp_path)
    opened(given)
    steps = (
        ((RULE,), "rule 'all for payment' added"),
        ((RULE.model_copy(update={"third_party": True}),), "rule 'all for payment' changed"),
        ((), "rule 'all for payment' removed"),
    )
    for count, (rules, words) in enumerate(steps, 1):
        found = opened(changed(given, policy=Policy(rules=rules)))
        assert len(found) == count
        assert told(found)[-1] == ("POLICY", PLAN, words)
    found = opened(changed(given, policy=Policy()))
    assert len(found) == len(steps)


def test_rules_of_a_settings_file_replace_those_that_stood_there(tmp_path: Path) -> None:
    given = settings(tmp_path)
    with open_house(given) as house:
        old = StoredRule("old", PLAN, None, "TREATMENT")
        house.database.write(lambda tx: policy_rules.put(tx, old))
        house.database.write(lambda tx: policy_rules.put(tx, replace(old, name=RULE.name)))
    with open_house(changed(given, policy=Policy(rules=(RULE,)))) as house:
        standing = house.database.read(lambda tx: policy_rules.list_all(tx, plan=PLAN))
        (record,) = whole_log(house)
    assert [(one.name, one.purpose) for one in standing] == [(RULE.name, "PAYMENT")]
    assert record.reason == "rule 'all for payment' changed; rule 'old' removed"


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    given = settings(tmp_path)
    opened(given)
    wrong = RULE.model_copy(update={"plan": "nobody"})
    limits = Limits(query_results=7)
    with pytest.raises(InvalidSettings, match="unknown plan"):
        opened(changed(given, limits=limits, policy=Policy(rules=(wrong,))))
    (record,) = opened(changed(given, limits=limits))
    assert record.reason == "changed: limits.query_results"


def test_a_plan_that_a_command_adds_for_itself_is_no_change(tmp_path: Path) -> None:
    given = settings(tmp_path)
    opened(given)
    assert opened(given.with_plans(({"id": "guest", "name": "guest"},)), given) == ()


def test_a_process_that_is_handed_the_settings_leaves_them_to_who_has_looked(
    tmp_path: Path,
) -> None:
    """As `serve` hands them to those that answer partners at the address that it found."""
    given = settings(tmp_path)
    opened(given)
    there = given.listen.model_copy(update={"partners": "127.0.0.1:9"})
    with open_house(changed(given, listen=there), handed_down=True) as house:
        assert whole_log(house) == []
    assert opened(given) == ()
    assert opened(Settings(**json.loads(given.model_dump_json()))) == ()
