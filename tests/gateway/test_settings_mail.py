"""`[mail]`: what it takes, and what it refuses with the reason."""

from pathlib import Path
from typing import Any

import pytest

from gateway.settings import InvalidSettings, Settings, load_settings

PLANS = '[[plans]]\nid = "acme"\nname = "Acme"\n'
TWO = PLANS + '[[plans]]\nid = "other"\nname = "Other"\n'
DOMAIN = '[[mail.domains]]\nname = "direct.acme.example"\n'


def loaded(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "gateway.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


def test_the_only_plan_is_that_of_every_domain(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PLANS + "[mail]\n" + DOMAIN.replace("direct", "Direct"))
    assert settings.mail is not None
    (domain,) = settings.mail.domains
    assert (domain.name, domain.plan) == ("direct.acme.example", "acme")
    more = settings.with_plans([{"id": "other", "name": "Other"}])
    assert more.mail is not None and more.mail.domains == settings.mail.domains


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TWO + "[mail]\n" + DOMAIN, "say whose mail it is"),
        (PLANS + "[mail]\n" + DOMAIN + 'plan = "nobody"\n', "there is no plan nobody"),
        (PLANS + "[mail]\n" + DOMAIN + DOMAIN, "stands there twice"),
        (PLANS + "[mail]\n", "domains"),
        (PLANS + "[mail]\n" + DOMAIN.replace("direct.acme", "dirèct.acme"), "xn--"),
        (PLANS + "[mail]\n" + DOMAIN.replace("direct.acme.example", "acme"), "not a domain"),
        (PLANS + '[mail]\nmode = "hisp"\nauthentication = "off"\n' + DOMAIN, "not signed"),
        (PLANS + '[mail]\nmode = "hisp"\nauthentication = "offered"\n' + DOMAIN, "not signed"),
        (
            PLANS
            + "[mail]\n"
            + DOMAIN
            + '[[mail.folders]]\npath = "in"\naddress = "a@x.example"\n',
            "none of the domains",
        ),
        (PLANS + '[mail]\nlisten = "nowhere"\n' + DOMAIN, "listen"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(InvalidSettings, match=reason):
        loaded(tmp_path, text)


@pytest.mark.parametrize(("mode", "meant"), [("agent", "off"), ("hisp", "required")])
def test_open_messages_are_taken_from_those_alone_that_say_who_they_are(
    tmp_path: Path, mode: str, meant: Any
) -> None:
    settings = loaded(tmp_path, PLANS + f'[mail]\nmode = "{mode}"\n' + DOMAIN)
    assert settings.mail is not None and settings.mail.authenticates == meant
