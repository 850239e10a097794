"""Whether a SOAP body that we write passes the published schemas and rules, where they are at hand.

The schemas lie in `shared/schemas/ihe` beside the checkout; without that folder nothing is said.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Final

from lxml import etree

SCHEMAS: Final = Path(__file__).resolve().parents[2] / "shared" / "schemas" / "ihe"
INCLUDE: Final = "{http://www.w3.org/2004/08/xop/include}Include"
FAULT: Final = "{http://www.w3.org/2003/05/soap-envelope}Fault"
SCH: Final = "http://purl.oclc.org/dsdl/schematron"

_OWN: Final = Path(__file__).resolve().parent / "samples" / "ihe"
_V3: Final = "hl7v3/multicacheschemas"
_SCHEMA_OF: Final = {
    "{urn:hl7-org:v3}PRPA_IN201305UV02": f"{_V3}/PRPA_IN201305UV02.xsd",
    "{urn:hl7-org:v3}PRPA_IN201306UV02": f"{_V3}/PRPA_IN201306UV02.xsd",
    "{urn:hl7-org:v3}MCCI_IN000002UV01": f"{_V3}/MCCI_IN000002UV01.xsd",
    "{urn:ihe:iti:xcpd:2009}PatientLocationQueryRequest": f"{_OWN}/patient_location.xsd",
    "{urn:ihe:iti:xcpd:2009}PatientLocationQueryResponse": f"{_OWN}/patient_location.xsd",
    "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryRequest": "xds/ebRS30/query.xsd",
    "{urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0}AdhocQueryResponse": "xds/ebRS30/query.xsd",
    "{urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0}RegistryResponse": "xds/ebRS30/rs.xsd",
    "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}Association": "xds/ebRS30/rim.xsd",
    "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}ExtrinsicObject": "xds/ebRS30/rim.xsd",
    "{urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0}RegistryPackage": "xds/ebRS30/rim.xsd",
    "{urn:ihe:iti:xds-b:2007}RetrieveDocumentSetRequest": "xds/IHE/IHEXDSB.xsd",
    "{urn:ihe:iti:xds-b:2007}RetrieveDocumentSetResponse": "xds/IHE/IHEXDSB.xsd",
    "{urn:ihe:iti:xds-b:2007}ProvideAndRegisterDocumentSetRequest": "xds/IHE/IHEXDSB.xsd",
}
_RULES_OF: Final = {
    "{urn:hl7-org:v3}PRPA_IN201305UV02": "schematron/PRPA_IN201305UV02.sch.xml",
    "{urn:hl7-org:v3}PRPA_IN201306UV02": "schematron/PRPA_IN201306UV02.sch.xml",
}


def assert_valid_body(element: etree._Element) -> None:
    """Fail unless `element` is valid; so does a root that no schema here describes.

    A SOAP fault is let pass: it is the envelope's own, and read by `soap`'s tests.
    """
    root = str(element.tag)
    if not SCHEMAS.is_dir() or root == FAULT:
        return
    assert root in _SCHEMA_OF, f"no schema describes {root}"
    body = _on_its_own(element)
    schema = _schema(_SCHEMA_OF[root])
    assert schema.validate(body), [f"line {e.line}: {e.message}" for e in schema.error_log]
    broken = list(_broken_rules(body))
    assert not broken, broken


def _on_its_own(element: etree._Element) -> etree._Element:
    """A copy as it is read off the wire; for a schema, an included attachment is its text."""
    body = etree.fromstring(etree.tostring(deepcopy(element), with_tail=False))
    for include in list(body.iter(INCLUDE)):
        parent = include.getparent()
        assert parent is not None
        parent.remove(include)
    return body


# ---- schemas ---------------------------------------------------------------------------------


class _WithoutDanglingRef(etree.Resolver):
    """Serve rim.xsd without its reference to a `Document` that no schema declares."""

    def resolve(self, system_url, public_id, context):  # type: ignore[no-untyped-def]
        if not system_url or not system_url.endswith("rim.xsd"):
            return None
        text = Path(system_url.removeprefix("file://")).read_text("utf-8")
        lines = [line for line in text.splitlines() if "xdsext:Document" not in line]
        return self.resolve_string("\n".join(lines), context, base_url=system_url)


@cache
def _schema(path: str) -> etree.XMLSchema:
    parser = etree.XMLParser()
    parser.resolvers.add(_WithoutDanglingRef())
    return etree.XMLSchema(etree.parse(str(SCHEMAS / path), parser))


# ---- rules -----------------------------------------------------------------------------------


def _broken_rules(body: etree._Element) -> Iterator[str]:
    """The texts of the schematron asserts that `body` fails, by XPath 1.0 alone."""
    path = _RULES_OF.get(str(body.tag))
    if path is None:
        return
    for context, lets, asserts in _rules(path):
        for node in body.getroottree().xpath(context, namespaces=_PREFIXES):
            variables: dict[str, object] = {}
            for name, value in lets:
                variables[name] = node.xpath(value, namespaces=_PREFIXES, **variables)
            for test, text in asserts:
                if not node.xpath(f"boolean({test})", namespaces=_PREFIXES, **variables):
                    yield text


_PREFIXES: Final = {"hl7": "urn:hl7-org:v3", "xsi": "http://www.w3.org/2001/XMLSchema-instance"}
_Rule = tuple[str, list[tuple[str, str]], list[tuple[str, str]]]


@cache
def _rules(path: str) -> list[_Rule]:
    """Every rule as (context, lets, asserts), abstract patterns filled in."""
    schema = etree.parse(str(SCHEMAS / path)).getroot()
    patterns = {pattern.get("id"): pattern for pattern in schema.iter(f"{{{SCH}}}pattern")}
    rules: list[_Rule] = []
    for pattern in patterns.values():
        if pattern.get("abstract") == "true":
            continue
        given = {p.get("name", ""): p.get("value", "") for p in pattern.iter(f"{{{SCH}}}param")}
        if pattern.get("is-a") == "check-type":  # it stands in a file that is not distributed
            wrong = "the xsi:type is not the one demanded"
            rules.append((given["element"], [], [(f"@xsi:type = '{given['type']}'", wrong)]))
            continue
        source = patterns[pattern.get("is-a", pattern.get("id"))]
        rules += [_rule(rule, given) for rule in source.iter(f"{{{SCH}}}rule")]
    return rules


def _rule(rule: etree._Element, given: dict[str, str]) -> _Rule:
    def filled(text: str) -> str:
        for name, value in given.items():
            text = text.replace(f"${name}", value)
        return text

    lets = [(n.get("name", ""), filled(n.get("value", ""))) for n in rule.iter(f"{{{SCH}}}let")]
    asserts = [
        (filled(node.get("test", "")), filled(" ".join((node.text or "").split())))
        for node in rule.iter(f"{{{SCH}}}assert")
    ]
    return filled(rule.get("context", "")), lets, asserts
