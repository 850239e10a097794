"""Entities: bombs, and files brought in. Nothing with a DOCTYPE is parsed at all."""

import pytest

from ccda import CcdaError, parse_document
from ccda.errors import DoctypeRefused
from ccda.json_form import document_json
from tests.fuzz.sealed import nothing_outside

DOCUMENT = (
    '<ClinicalDocument xmlns="urn:hl7-org:v3"><title{attribute}>{text}</title></ClinicalDocument>'
)
LAUGHS = '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)
)


def with_entities(declarations: str, text: str = "&x;", attribute: str = "") -> str:
    body = DOCUMENT.format(text=text, attribute=attribute)
    return f"<!DOCTYPE ClinicalDocument [{declarations}]>{body}"


def refuse(text: str, encoding: str = "utf-8") -> None:
    data = text.encode(encoding)
    with nothing_outside(), pytest.raises(DoctypeRefused):
        parse_document(data)


def test_billion_laughs_is_refused() -> None:
    refuse(with_entities(LAUGHS, "&a9;"))


def test_quadratic_blowup_is_refused() -> None:
    refuse(with_entities(f'<!ENTITY x "{"x" * 50_000}">', "&x;" * 50_000))


@pytest.mark.parametrize(
    "address", ["file:///etc/hostname", "/etc/hostname", "http://127.0.0.1/x", "ftp://127.0.0.1/"]
)
def test_an_external_entity_is_refused(address: str) -> None:
    refuse(with_entities(f'<!ENTITY x SYSTEM "{address}">'))
    refuse(with_entities(f'<!ENTITY x PUBLIC "-//X" "{address}">'))


def test_an_external_entity_that_is_never_used_is_refused() -> None:
    refuse(with_entities('<!ENTITY x SYSTEM "file:///etc/hostname">', ""))


def test_parameter_entities_are_refused() -> None:
    refuse(with_entities('<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;', ""))
    refuse(with_entities("<!ENTITY % a '<!ENTITY &#37; b SYSTEM \"file:///\">'> %a; %b;", ""))


@pytest.mark.parametrize("address", ["http://127.0.0.1/x.dtd", "file:///x.dtd", "x.dtd"])
def test_an_external_dtd_is_refused(address: str) -> None:
    refuse(
        f'<!DOCTYPE ClinicalDocument SYSTEM "{address}">' + DOCUMENT.format(text="", attribute="")
    )


def test_an_entity_in_an_attribute_is_refused() -> None:
    refuse(with_entities('<!ENTITY x "y">', "", ' ID="&x;"'))


def test_an_attribute_with_a_default_value_is_refused() -> None:
    """A DTD could negate every statement of a document by a default."""
    refuse(with_entities('<!ATTLIST observation negationInd CDATA "true">', ""))


@pytest.mark.parametrize(
    "encoding",
    ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig"],
)
def test_a_doctype_hidden_by_an_encoding_is_refused(encoding: str) -> None:
    refuse(with_entities('<!ENTITY x SYSTEM "file:///etc/hostname">'), encoding)


@pytest.mark.parametrize(
    ("encoding", "declared"), [("utf-7", "UTF-7"), ("cp037", "IBM037"), ("utf-16-le", "UTF-16")]
)
def test_a_doctype_in_an_encoding_of_its_own_brings_nothing_in(
    encoding: str, declared: str
) -> None:
    declaration = f'<?xml version="1.0" encoding="{declared}"?>'
    hidden = with_entities('<!ENTITY x SYSTEM "file:///etc/hostname">')
    for data in (
        (declaration + hidden).encode(encoding),
        declaration.encode() + hidden.encode(encoding),
    ):
        with nothing_outside(), pytest.raises(CcdaError):
            parse_document(data)


@pytest.mark.parametrize("before", ["", "<a/>", "x", "<ClinicalDocument>", "<![CDATA[", "&nbsp;"])
def test_a_doctype_out_of_place_defines_nothing(before: str) -> None:
    """Input that is not well-formed gets a second, forgiving pass: it must not expand either."""
    data = before + with_entities(LAUGHS, "&a9;")
    try:
        with nothing_outside():
            said = str(document_json(parse_document(data.encode())))
    except CcdaError:
        return
    assert "haha" not in said


def test_an_undeclared_entity_shows_as_it_was_written() -> None:
    document = parse_document(DOCUMENT.format(text="&x; &lt;", attribute="").encode())
    assert document.recovered and document.title == "&x; <"
