"""JSON with long strings in it: read as any JSON, while everybody else has their turns."""

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from gateway.api import long_forms
from gateway.api.forms import LIMIT_BYTES
from gateway.api.long_forms import Base64
from gateway.api.problems import Problem
from tests.gateway.api.doors import PROBLEM, PURPOSE, Doors, open_doors
from tests.gateway.house import MEMBER, PLAN

MEGABYTE = 1024 * 1024


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


class Holder(BaseModel):
    model_config = ConfigDict(extra="forbid")
    content: Base64
    text: str = ""


def read(content: bytes, kind: Any = Anything) -> Any:
    return long_forms._read(content, kind).model_dump()


LONG = st.integers(200, 400).flatmap(lambda n: st.text(min_size=n, max_size=n))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20) | LONG,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(form=st.dictionaries(st.from_regex(r"[a-w]{1,8}", fullmatch=True), VALUES, max_size=4))
@example({"a": "\\" * 300, "b": '"' * 300, "c": "\\" * 301 + '"', "d": '\\"' * 200})
@example({"a": "é" * 300, "b": ["\U0001f600" * 300, {"c": "\n" * 300}], "d": ""})
def test_what_is_written_is_what_is_read(form: dict[str, Any]) -> None:
    for written in (orjson.dumps(form), json.dumps(form, indent=3).encode()):
        assert read(written) == form


@pytest.mark.parametrize(
    "written",
    [
        b"", b"{", b'{"a": "' + b"x" * 300, b'{"a": "' + b"x" * 300 + b'\\q"}', b'{"a": nul}',
        b'{"a": "' + b"\n" * 300 + b'"}', b'{"a": "' + b"\xff" * 300 + b'"}', b'{"a": "\\"}',
    ],
)  # fmt: skip
def test_what_is_no_json_is_a_422(written: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read(written)
    assert refused.value.status == 422


CONTENT = bytes(range(256)) * 8192
WAYS = {
    "plain": lambda text: text,
    "slashes escaped": lambda text: text.replace("/", "\\/"),
    "signs escaped": lambda text: text.replace("+", "\\u002B").replace("=", "\\u003D"),
    "all escaped": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("short_by", [0, 1, 2])
def test_a_file_may_be_written_in_any_way_of_json(way: str, short_by: int) -> None:
    content = CONTENT[short_by:]
    text = WAYS[way](b64encode(content).decode())
    assert len(text) > long_forms._AT_ONCE
    form = read(b'{"content": "%b"}' % text.encode(), Holder)
    assert form == {"content": content, "text": ""}


@pytest.mark.parametrize("spoilt", ["%", "=", "é", "\\n", "\\", "\\u00", "====", "A==="])
@pytest.mark.parametrize("place", [0, 128 * 1024, 2_000_001, 3_000_000])
def test_what_is_not_base64_is_refused_wherever_it_stands(spoilt: str, place: int) -> None:
    text = "A" * 3_000_000
    written = f'{{"content": "{text[:place]}{spoilt}{text[place:]}"}}'.encode()
    with pytest.raises(Problem) as refused:
        read(written, Holder)
    assert refused.value.status == 422


def test_a_string_that_long_is_welcome_in_a_file_alone() -> None:
    with pytest.raises(Problem) as refused:
        read(b'{"content": "", "text": "%b"}' % (b"x" * 3_000_000), Holder)
    (error,) = refused.value.fields["errors"]
    assert error["location"] == "body.text"


def test_a_mark_that_somebody_writes_is_a_text_like_any_other() -> None:
    form = {"a": "x" * 300, "b": "0" * 16 + "-0"}
    assert read(orjson.dumps(form)) == form


@pytest.mark.parametrize(
    "rest",
    [
        b'{"a":[' + b"0," * MEGABYTE + b"0]}",
        b'{"a":[' + b'"",' * MEGABYTE + b'""]}',
        b'{"a":[' + b"[" * MEGABYTE,
        b" " * MEGABYTE + b"{}",
        b'{"a":"' + b'\\"' * 2 * MEGABYTE + b'"}',
        b'{"a":[' + b'"%b",' % (b"x" * 257) * 4000 + b'""]}',
    ],
)
def test_what_is_large_without_long_strings_is_not_parsed(rest: bytes) -> None:
    with pytest.raises(Problem) as refused:
        read(rest)
    assert refused.value.status == 413


def test_as_much_as_any_form_may_have_stands_beside_a_file() -> None:
    rest = b'"' + b"x" * 200 + b'",'
    many = LIMIT_BYTES // len(rest) - 2
    written = b'{"a":[%b""],"b":"%b"}' % (rest * many, b"y" * MEGABYTE)
    assert len(read(written)["a"]) == many + 1


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    with open_doors(tmp_path) as opened:
        yield opened


def test_the_door_says_what_is_too_large(doors: Doors) -> None:
    form = {"from": "desk@direct.acme.example", "to": ["anne@clinic.example"], **PURPOSE}
    answer = doors.call(
        "POST",
        "/api/v1/direct/messages",
        doors.token(PLAN, "staff"),
        json={**form, "documents": ["x"] * 30_000},
    )
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
    assert "65,536 bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    "form",
    [
        {f"{number:x}": 0 for number in range(5000)},
        {"documents": [0] * 5000},
        {"requester": {"person": [[0] * 40 for _ in range(40)]}},
    ],
)
def test_a_body_of_nothing_but_wrong_values_is_refused_before_each_is_told_of(
    doors: Doors, form: dict[str, Any]
) -> None:
    member = f"/api/v1/members/{MEMBER.id}"
    for path in (f"{member}/submissions", "/api/v1/direct/messages"):
        answer = doors.call("POST", path, doors.token(PLAN, "staff"), json=form)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
        assert "1,000 values" in answer.json()["detail"]
