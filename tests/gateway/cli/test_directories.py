"""`gateway partners import`: a directory from a file or over HTTP, page by page."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.gateway.cli.terminal import Terminal, furnish
from tests.gateway.house import HOME, certificate_of

SAMPLE = Path(__file__).parents[2] / "samples" / "directory" / "network.json"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    made = furnish(tmp_path)
    with made.config.open("a", encoding="utf-8") as file:
        file.write('\n[[networks]]\nname = "net"\npurposes = "nhin"\nanchors = []\n')
    return made


def test_a_file_is_taken_over_and_then_changes_nothing(terminal: Terminal) -> None:
    with terminal.recording() as records:
        ended = terminal.run("partners", "import", SAMPLE, "--network", "net", "--json")
    assert ended.exit_code == 3, "one organization cannot be taken"
    assert "organization nameless has no OID" in ended.err
    (form,) = ended.lines
    assert [one["name"] for one in form["added"]] == [
        "Lakeshore", "Northfield Clinic", "Northfield Clinic, Ward 3", "Northfield Health",
        "Part of itself",
    ]  # fmt: skip
    kinds = [record["transaction"] for record in records]
    assert kinds == ["CLI-PARTNER-ADD"] * 5 + ["CLI-DIRECTORY"]
    assert records[-1]["reason"] == "net: 5 added, 0 changed, 0 retired, 0 as they were"
    again = terminal.run("partners", "import", SAMPLE, "--network", "net", "--json").lines[0]
    assert (again["added"], again["changed"], again["unchanged"]) == ([], [], 5)


def test_organizations_and_endpoints_may_stand_in_files_of_their_own(terminal: Terminal) -> None:
    whole = json.loads(SAMPLE.read_bytes())
    for kind in ("Organization", "Endpoint"):
        some = [one for one in whole["entry"] if one["resource"]["resourceType"] == kind]
        terminal.write(f"{kind}.json", json.dumps({**whole, "entry": some}))
    files = [terminal.folder / "Organization.json", terminal.folder / "Endpoint.json"]
    apart = terminal.run("partners", "import", *files, "--network", "net", "--json")
    assert len(apart.lines[0]["added"]) == 5
    both = terminal.run("partners", "import", SAMPLE, "--network", "net", "--json", "--complete")
    assert both.lines[0]["unchanged"] == 5


def test_a_delta_of_organizations_alone_takes_no_address_away(terminal: Terminal) -> None:
    terminal.run("partners", "import", SAMPLE, "--network", "net")
    whole = json.loads(SAMPLE.read_bytes())
    clinic = whole["entry"][1]
    clinic["resource"]["name"] = "Northfield Family Clinic"
    terminal.write("delta.json", json.dumps({**whole, "entry": [whole["entry"][0], clinic]}))
    delta = terminal.folder / "delta.json"
    ended = terminal.run("partners", "import", delta, "--network", "net", "--json")
    assert [one["name"] for one in ended.lines[0]["changed"]] == ["Northfield Family Clinic"]
    rows = terminal.rows("SELECT name, endpoints FROM partner WHERE network = 'net'")
    assert all("north.example/pd" in row["endpoints"] for row in rows if "field" in row["name"])


def test_endpoints_alone_are_not_taken_over_in_silence(terminal: Terminal) -> None:
    whole = json.loads(SAMPLE.read_bytes())
    some = [one for one in whole["entry"] if one["resource"]["resourceType"] == "Endpoint"]
    terminal.write("delta.json", json.dumps({**whole, "entry": some}))
    ended = terminal.run("partners", "import", terminal.folder / "delta.json", "--network", "net")
    assert ended.exit_code == 3
    assert "endpoints are of no organization that is listed with them" in ended.err


def test_who_is_listed_no_more_has_left_until_it_is_listed_again(terminal: Terminal) -> None:
    terminal.run("partners", "import", SAMPLE, "--network", "net")
    whole = json.loads(SAMPLE.read_bytes())
    terminal.write("one.json", json.dumps({**whole, "entry": whole["entry"][3:4]}))
    one = terminal.folder / "one.json"
    for source, left in ((one, 4), (SAMPLE, 0)):
        terminal.run("partners", "import", source, "--network", "net", "--complete")
        listed = terminal.run("partners", "list", "--json").lines
        assert sum(row["retired"] for row in listed) == left
    terminal.run("partners", "import", one, "--network", "net", "--complete")
    assert "it has left its" in terminal.run("partners", "list").out


def test_a_partner_of_a_file_is_not_overwritten_by_a_directory(terminal: Terminal) -> None:
    pem = certificate_of("Lakeshore").certificate_pem
    terminal.write("pinned.pem", pem)
    file = terminal.write(
        "partner.toml",
        'name = "Our Lakeshore"\nhome_community_id = "2.999.70.2"\n'
        'tls_certificates = ["pinned.pem"]\n[endpoints]\niti55 = "https://own.example/pd"\n',
    )
    assert terminal.run("partners", "add", file).exit_code == 0
    ended = terminal.run("partners", "import", SAMPLE, "--network", "net")
    said = " ".join(ended.out.split())
    assert "Our Lakeshore is a partner already, of no network: left as it is" in said
    (row,) = terminal.rows("SELECT * FROM partner WHERE home_community_id = '2.999.70.2'")
    assert (row["name"], row["network"]) == ("Our Lakeshore", None)
    assert "own.example" in row["endpoints"]
    pinned = terminal.rows("SELECT pem FROM partner_certificate WHERE partner = '2.999.70.2'")
    assert [one["pem"].strip() for one in pinned] == [pem.strip()]


def test_our_own_community_in_the_directory_is_no_partner(terminal: Terminal) -> None:
    whole = json.loads(SAMPLE.read_bytes())
    ours = whole["entry"][3]
    ours["resource"]["identifier"][0]["value"] = str(HOME)
    terminal.write("whole.json", json.dumps(whole))
    ended = terminal.run(
        "partners", "import", terminal.folder / "whole.json", "--network", "net", "--json"
    )
    assert "Lakeshore" not in {one["name"] for one in ended.lines[0]["added"]}
    assert len(ended.lines[0]["added"]) == 4


def test_a_dry_run_changes_nothing(terminal: Terminal) -> None:
    with terminal.recording() as records:
        ended = terminal.run("partners", "import", SAMPLE, "--network", "net", "--dry-run")
    assert "would be: 5 added" in ended.out
    assert "2 of them are reached by another community" in ended.out
    assert records == []
    names = {row["name"] for row in terminal.rows("SELECT name FROM partner")}
    assert "Lakeshore" not in names


@contextmanager
def serving(pages: dict[str, bytes]) -> Iterator[str]:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = pages.get(self.path)
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_every_page_of_an_address_is_taken_over(terminal: Terminal) -> None:
    whole = json.loads(SAMPLE.read_bytes())
    first = {**whole, "entry": whole["entry"][:4]}
    first["link"] = [{"relation": "next", "url": "two"}]
    second = {**whole, "entry": whole["entry"][4:], "link": [{"relation": "next", "url": "one"}]}
    pages = {"/one": json.dumps(first).encode(), "/two": json.dumps(second).encode()}
    with serving(pages) as host:
        with terminal.config.open("a", encoding="utf-8") as file:
            spelling = host.replace("127.0.0.1", "[::FFFF:127.0.0.1]")
            file.write(f'\n[revocation]\nprivate_addresses = ["{spelling}"]\n')
        ended = terminal.run(
            "partners", "import", f"http://{host}/one", "--network", "net", "--json"
        )
        assert len(ended.lines[0]["added"]) == 5
        missing = terminal.run("partners", "import", f"http://{host}/no", "--network", "net")
    assert missing.exit_code == 1
    assert "HTTP 404" in missing.err


@pytest.mark.parametrize(
    ("source", "network", "sentence", "code"),
    [
        ("http://directory.example/", "net", "over https", 1),
        ("no such file", "net", "cannot be read", 2),
        ("gateway.toml", "net", "it is no JSON", 1),
        ("empty.json", "net", "lists no organization", 1),
        ("empty.json", "nowhere", "no network nowhere", 2),
    ],
)
def test_what_cannot_be_taken_over_is_a_sentence(
    terminal: Terminal, source: str, network: str, sentence: str, code: int
) -> None:
    terminal.write("empty.json", '{"resourceType": "Bundle"}')
    place = source if "://" in source else terminal.folder / source
    ended = terminal.run("partners", "import", place, "--network", network)
    assert ended.exit_code == code
    assert sentence in ended.err
