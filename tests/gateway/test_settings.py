"""gateway.toml and GATEWAY_… variables: what is wrong is one sentence that names the key."""

from pathlib import Path

import pytest

from gateway.settings import InvalidSettings, load_settings
from tests.gateway.cli.terminal import run


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "gateway.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_without_a_file_everything_has_a_default() -> None:
    settings = load_settings()
    assert settings.plans == ()
    assert settings.database == "sqlite:///gateway-data/gateway.sqlite"
    assert not settings.key_file.is_relative_to(settings.data_dir)


def test_the_file_in_the_working_directory_is_read(tmp_path: Path) -> None:
    written(tmp_path, '[gateway]\norganization = "Acme"\n[[plans]]\nid = "a"\nname = "A"\n')
    settings = load_settings()
    assert settings.organization == "Acme"
    assert [plan.id for plan in settings.plans] == ["a"]


def test_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, '[gateway]\norganization = "Acme"\n[listen]\nplans = "127.0.0.1:1"\n')
    monkeypatch.setenv("GATEWAY_ORGANIZATION", "Other")
    monkeypatch.setenv("GATEWAY_LISTEN__PARTNERS", "127.0.0.1:2")
    settings = load_settings(file)
    assert settings.organization == "Other"
    assert settings.listen.partners == "127.0.0.1:2"
    assert settings.listen.plans == "127.0.0.1:1"


def private(table: str, address: str) -> str:
    return f'[{table}]\nprivate_addresses = ["{address}"]\n'


DOMAIN = '[[plans]]\nid="a"\nname="x"\n[[mail.domains]]\nname="d.example"\n'
WRONG = {
    "not TOML": ("[gateway", "not valid TOML"),
    "no text": (b"\xff\xfe\x00", "UTF-8"),
    "gateway is no table": ("gateway = 3", "gateway"),
    "unknown key": ("[gateway]\nhome = 3", "home"),
    "unknown table": ("[nothing]\nx = 1", "nothing"),
    "a key twice": ('plans = []\n[gateway]\nplans = []\n', "plans"),
    "no OID": ('[gateway]\nhome_community_id = "x"', "home_community_id"),
    "OID of a wrong type": ("[gateway]\nhome_community_id = 7", "home_community_id"),
    "no database": ('[gateway]\ndatabase_url = "mysql://u:hunter2@h/d"', "database_url"),
    "no file of SQLite": ('[gateway]\ndatabase_url = "sqlite://"', "database_url"),
    "no address": ('[listen]\nplans = "8080"', "listen.plans"),
    "no port": ('[listen]\npartners = "127.0.0.1:http"', "listen.partners"),
    "a port too high": ('[listen]\noperations = "127.0.0.1:70000"', "listen.operations"),
    "an address of a wrong type": ("[listen]\nplans = 8080", "listen.plans"),
    "unknown in listen": ('[listen]\nplan = "127.0.0.1:1"', "listen.plan"),
    "half a key pair": ('[tls]\ncertificate = "x"', "tls.key"),
    "a plan without a name": ('[[plans]]\nid = "a"', "plans.0.name"),
    "a plan with a wrong id": ('[[plans]]\nid = "A B"\nname = "x"', "plans.0.id"),
    "a plan's root": ('[[plans]]\nid="a"\nname="x"\nmember_id_root="x"', "plans.0.member_id_root"),
    "plans of one id": ('[[plans]]\nid="a"\nname="x"\n[[plans]]\nid="a"\nname="y"', "plans"),
    "networks of one name": ('[[networks]]\nname="n"\n[[networks]]\nname="n"', "networks"),
    "an agreement of blanks": (
        '[[plans]]\nid="a"\nname="x"\ntreatment_agreement=" "', "plans.0.treatment_agreement",
    ),
    "no worker": ("[limits]\nworker_processes = 0", "limits.worker_processes"),
    "no deadline": ("[limits]\nworker_deadline_seconds = 0", "limits.worker_deadline_seconds"),
    "endless skew": ("[limits]\nclock_skew_seconds = inf", "limits.clock_skew_seconds"),
    "negative skew": ("[limits]\nclock_skew_seconds = -1", "limits.clock_skew_seconds"),
    "an address in short": (private("revocation", "127.1:80"), "revocation.private_addresses"),
    "a name for an address": (private("revocation", "ca.test:80"), "written out"),
    "an address without a port": (private("mail.out", "10.0.0.5") + DOMAIN, "form address:port"),
    "an address of an interface": (private("discovery", "[fe80::1%lo]:389"), "leads nowhere"),
    "an address at no port": (private("discovery", "10.0.0.5:0"), "port 0"),
    "an address at a port too high": (private("revocation", "10.0.0.5:65536"), "address:port"),
    "a rule without a plan": ('[[policy.rules]]\nname = "x"', "policy.rules.0.plan"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    text, named = WRONG[case]
    with pytest.raises(InvalidSettings, match=named) as caught:
        load_settings(written(tmp_path, text))
    assert "hunter2" not in str(caught.value), "a password must not come back"


@pytest.mark.parametrize("case", WRONG)
def test_the_command_line_says_it_in_one_sentence_and_exits_2(tmp_path: Path, case: str) -> None:
    text, named = WRONG[case]
    ended = run("config", "check", "--config", written(tmp_path, text))
    assert ended.exit_code == 2
    assert ended.out == ""
    assert named in ended.err
    assert ended.err.count("\n") == 1


def test_a_key_that_is_none_or_missing_is_said_in_plain_words(tmp_path: Path) -> None:
    file = written(tmp_path, '[gateway]\norganisation = "Acme"\n[[plans]]\nid = "a"\n')
    with pytest.raises(InvalidSettings) as caught:
        load_settings(file)
    assert set(str(caught.value).split("; ")) == {
        "plans.0.name: it is required",
        "organisation: there is no such key",
    }


def test_the_mark_that_windows_puts_before_a_text_is_no_fault(tmp_path: Path) -> None:
    text = '\ufeff[gateway]\r\norganization = "Acme"\r\n'
    assert load_settings(written(tmp_path, text)).organization == "Acme"


@pytest.mark.parametrize("value", ["{", "[1]", "7"])
def test_a_variable_that_is_wrong_is_a_sentence_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("GATEWAY_PLANS", value)
    with pytest.raises(InvalidSettings, match="plans"):
        load_settings(written(tmp_path, ""))


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"none\.toml"):
        load_settings(tmp_path / "none.toml")
    with pytest.raises(InvalidSettings, match="cannot be read"):
        load_settings(tmp_path)


def test_a_plan_that_a_command_adds_is_checked_like_any_other() -> None:
    assert [plan.id for plan in load_settings().with_plans([{"id": "a", "name": "A"}]).plans] == [
        "a"
    ]
    with pytest.raises(InvalidSettings, match="id"):
        load_settings().with_plans([{"id": "A B", "name": "A"}])
