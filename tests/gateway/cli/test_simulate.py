"""`simulate`: a partner in a process of its own, that a gateway knows from the file it writes."""

import ssl
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.demo.simulator.deferred_moods import DEFERRED
from gateway.demo.simulator.folder import write_partner_file
from gateway.demo.simulator.holdings import HOME
from gateway.demo.simulator.locating_moods import LOCATING
from gateway.demo.simulator.moods import MOODS, mood
from gateway.model.partner import PartnerProfile
from tests.gateway.cli.terminal import Terminal, furnish, run
from tests.gateway.house import key_files

ADDED = "gateway partners add "


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return furnish(tmp_path)


@contextmanager
def simulated(terminal: Terminal, *moods: str) -> Iterator[Path]:
    """The command running; the partner file it has written."""
    command = [sys.executable, "-m", "gateway", "simulate", "--config", str(terminal.config)]
    command += ["--folder", str(terminal.folder / "simulated")]
    for one in moods:
        command += ["--mood", one]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith(ADDED):
                yield Path(line.removeprefix(ADDED).strip())
                break
        else:
            raise AssertionError("it did not come up")
    finally:
        process.terminate()
        process.stdout.close()
        assert process.wait(30) == 0


def test_its_partner_file_is_taken_and_its_doors_want_our_certificate(terminal: Terminal) -> None:
    with simulated(terminal, "empty@ITI-38", "no-mtom") as file:
        assert terminal.run("partners", "add", file).out.startswith("1 partners added")
        roster = file.parent / "roster.csv"
        assert terminal.run("members", "import", roster).out.startswith("1 members taken")
        (row,) = terminal.rows("SELECT * FROM partner WHERE name = 'Simulated Partner'")
        door = row["endpoints"].split('"iti38":"')[1].split('"')[0]
        context = ssl.create_default_context(cafile=file.parent / "tls.pem")
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with pytest.raises((ssl.SSLError, urllib.error.URLError, ConnectionError)):
            urllib.request.urlopen(f"{door}?wsdl", context=context, timeout=30)  # noqa: S310
        context.load_cert_chain(*key_files("Our gateway"))
        with urllib.request.urlopen(f"{door}?wsdl", context=context, timeout=30) as answer:  # noqa: S310
            assert b"RespondingGateway_CrossGatewayQuery" in answer.read()
    assert (file.parent / "tls.key").stat().st_mode & 0o077 == 0


def test_the_list_has_every_mood_with_what_it_does() -> None:
    listed = run("simulate", "--list", "--json").lines
    assert {one["name"] for one in listed} == {*MOODS, *DEFERRED, *LOCATING}
    assert all(one["said"] and one["at"] for one in listed)
    shown = run("simulate", "--list").out
    assert "wrong-relates-to" in shown


def test_its_partner_file_has_it_asked_what_its_moods_show_in(tmp_path: Path) -> None:
    def profile(*names: str) -> PartnerProfile:
        moods = tuple(mood(one) for one in names)
        file = write_partner_file(tmp_path, name="A", home=HOME, port=1, moods=moods)
        return PartnerProfile(**tomllib.loads(file.read_text("utf-8")).get("profile", {}))

    assert profile("hang") == PartnerProfile()
    assert profile("deferred-late").deferred_discovery
    both = profile("deferred", "other-location")
    assert both.deferred_discovery and both.health_data_locator


@pytest.mark.parametrize(
    "arguments, word",
    [
        (("--mood", "grumpy"), "--list"),
        (("--mood", "truncated@ITI-55"), "ITI-39"),
        (("--home", "here"), "--home"),
        (("--caller", "nobody.pem"), "nobody.pem"),
        (("--caller", __file__), "no PEM"),
    ],
)
def test_what_cannot_be_simulated_is_usage(
    arguments: tuple[str, str], word: str, terminal: Terminal
) -> None:
    ended = terminal.run("simulate", *arguments)
    assert ended.exit_code == 2
    assert word in ended.err
