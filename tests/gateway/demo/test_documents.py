"""The demo's documents: valid, at one with their own narrative, and holding what was planted."""

import base64
import re
from collections.abc import Iterator
from importlib import resources
from typing import Final

import pytest
from lxml import etree
from lxml.etree import _Element as Element

from tests.conformance import (
    CDA,
    assert_valid_clinical_document,
    iso_schematron_findings,
    schemas_folder,
    schematron_findings,
)

FOLDER: Final = resources.files("gateway.demo") / "documents"
TEMPLATE: Final = "2.16.840.1.113883.10.20.22."
DOCUMENTS: Final = {
    "northfield_ccd.xml": "1.2",
    "northfield_discharge_summary.xml": "1.8",
    "lakeshore_ccd.xml": "1.2",
    "lakeshore_unstructured.xml": "1.10",
    "lakeshore_progress_note.xml": "1.9",
    "lakeshore_progress_note_replaced.xml": "1.9",
    "harborview_visit.xml": "1.9",
}
XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
SNOMED: Final = "2.16.840.1.113883.6.96"
ICD10: Final = "2.16.840.1.113883.6.90"


def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def tree(name: str) -> Element:
    return etree.fromstring(content(name))


def with_template(root: Element, number: str) -> Iterator[Element]:
    """Each element that claims a template, once however many of its versions it claims."""
    for template in root.iter(f"{CDA}templateId"):
        if template.get("root") == TEMPLATE + number and template.get("extension") is None:
            parent = template.getparent()
            assert parent is not None
            yield parent


def own_id(element: Element) -> tuple[str | None, str | None]:
    identifier = element.find(f"{CDA}id")
    assert identifier is not None
    return identifier.get("root"), identifier.get("extension")


def coded(element: Element, path: str) -> tuple[str | None, str | None]:
    found = element.find(path)
    return (None, None) if found is None else (found.get("codeSystem"), found.get("code"))


def one(name: str, section: str, template: str, path: str, code: str) -> Element:
    """The only statement of that template, in that section, whose element at `path` says `code`."""
    found = [
        item
        for part in tree(name).iter(f"{CDA}section")
        if coded(part, f"{CDA}code")[1] == section
        for item in with_template(part, template)
        if any(choice.get("code") == code for choice in item.iterfind(path))
    ]
    assert len(found) == 1, (name, code, len(found))
    return found[0]


def time(element: Element, bound: str) -> str | None:
    found = element.find(f"{CDA}effectiveTime/{CDA}{bound}")
    return None if found is None else found.get("value")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_is_valid_by_schema_and_schematron(name: str) -> None:
    assert_valid_clinical_document(content(name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_claims_its_document_type_in_both_versions(name: str) -> None:
    claimed = {
        (template.get("root"), template.get("extension"))
        for template in tree(name).iterchildren(f"{CDA}templateId")
    }
    number = TEMPLATE + DOCUMENTS[name]
    assert {(number, None), (number, "2015-08-01")} <= claimed


def test_every_document_is_listed_and_explained() -> None:
    files = {entry.name for entry in FOLDER.iterdir() if entry.name.endswith(".xml")}
    explained = (FOLDER / "EXPECTED.md").read_text(encoding="utf-8")
    assert files == set(DOCUMENTS)
    assert [name for name in sorted(files) if f"`{name}`" not in explained] == []


def test_documents_have_ids_sets_and_versions_of_their_own() -> None:
    ids = [own_id(tree(name)) for name in DOCUMENTS]
    assert len(set(ids)) == len(ids)
    for name in DOCUMENTS:
        root = tree(name)
        assert root.find(f"{CDA}setId") is not None
        assert root.find(f"{CDA}versionNumber") is not None


def test_everybody_is_plainly_synthetic() -> None:
    for name in DOCUMENTS:
        text = content(name).decode("utf-8")
        assert "2.16.840.1.113883.4.1" not in re.findall(r'root="([^"]*)"', text), "an SSN"
        phones = re.findall(r"tel:([^\"]*)", text)
        assert phones and all(re.fullmatch(r"\+1-608-555-01\d\d", phone) for phone in phones)
        for npi in re.findall(r'root="2\.16\.840\.1\.113883\.4\.6" extension="(\d*)"', text):
            assert npi.startswith("9"), "no real NPI starts with 9"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_references_point_into_the_narrative_of_their_own_section(name: str) -> None:
    root = tree(name)
    ids = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(ids) == len(set(ids))
    for section in root.iter(f"{CDA}section"):
        narrative = section.find(f"{CDA}text")
        assert narrative is not None
        here = {element.get("ID") for element in narrative.iter() if element.get("ID")}
        wanted = {
            (reference.get("value") or "").removeprefix("#")
            for reference in section.iter(f"{CDA}reference")
        }
        assert wanted <= here, sorted(wanted - here)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_narrative_says_the_value_that_the_entry_holds(name: str) -> None:
    root = tree(name)
    told = {
        e.get("ID"): " ".join("".join(e.itertext()).split()) for e in root.iter() if e.get("ID")
    }
    rows = {
        e.get("ID"): [" ".join("".join(cell.itertext()).split()) for cell in e]
        for e in root.iter(f"{CDA}tr")
    }
    for template in ("4.2", "4.27"):
        for observation in with_template(root, template):
            value = observation.find(f"{CDA}value")
            reference = observation.find(f"{CDA}text/{CDA}reference")
            assert value is not None and reference is not None
            key = (reference.get("value") or "").removeprefix("#")
            if value.get(XSI_TYPE) == "PQ":
                unit = (value.get("unit") or "").replace("{1.73_m2}", "1.73 m2")
                said = f"{value.get('value')} {unit}"
            else:
                said = value.text or ""
            assert said in rows[key] if key in rows else said in told[key], (key, said, told[key])


def test_one_observation_has_one_id_in_both_documents_of_an_ehr() -> None:
    pairs = (
        ("northfield_ccd.xml", "northfield_discharge_summary.xml", 6),
        ("lakeshore_ccd.xml", "lakeshore_progress_note.xml", 4),
    )
    for newer, older, count in pairs:
        first, second = (
            {own_id(item): item for item in with_template(tree(name), "4.2")}
            for name in (newer, older)
        )
        shared = first.keys() & second.keys()
        assert len(shared) == count == len(second)
        for key in shared:
            assert coded(first[key], f"{CDA}code") == coded(second[key], f"{CDA}code")


PROBLEM: Final = ("11450-4", "4.4", f"{CDA}value")
MEDICATION: Final = ("10160-0", "4.16", f".//{CDA}manufacturedMaterial/{CDA}code")
ALLERGY: Final = ("48765-2", "4.7", f".//{CDA}playingEntity/{CDA}code")
VACCINE: Final = ("11369-6", "4.52", f".//{CDA}manufacturedMaterial/{CDA}code")
RESULT: Final = ("30954-2", "4.2", f"{CDA}code")


def test_diabetes_is_snomed_with_a_translation_there_and_icd10_here() -> None:
    northfield = one("northfield_ccd.xml", *PROBLEM, "44054006")
    assert coded(northfield, f"{CDA}value/{CDA}translation") == (ICD10, "E11.9")
    lakeshore = one("lakeshore_ccd.xml", *PROBLEM, "E11.9")
    assert coded(lakeshore, f"{CDA}value") == (ICD10, "E11.9")
    assert lakeshore.find(f"{CDA}value/{CDA}translation") is None


def test_hypertension_shares_no_code() -> None:
    for name, code in (("northfield_ccd.xml", "59621000"), ("lakeshore_ccd.xml", "I10")):
        problem = one(name, *PROBLEM, code)
        assert problem.find(f"{CDA}value/{CDA}translation") is None


def test_pneumonia_is_resolved_under_the_id_it_had_in_hospital() -> None:
    then = one("northfield_discharge_summary.xml", "11535-2", *PROBLEM[1:], "385093006")
    now = one("northfield_ccd.xml", *PROBLEM, "385093006")
    assert own_id(then) == own_id(now)
    assert (time(then, "high"), time(now, "high")) == (None, "20230310")


def test_lisinopril_is_active_in_the_older_and_stopped_in_the_newer() -> None:
    older = one("northfield_ccd.xml", *MEDICATION, "314076")
    newer = one("lakeshore_ccd.xml", *MEDICATION, "314076")
    assert (coded(older, f"{CDA}statusCode")[1], time(older, "high")) == ("active", None)
    assert (coded(newer, f"{CDA}statusCode")[1], time(newer, "high")) == ("aborted", "20250520")
    losartan = one("lakeshore_ccd.xml", *MEDICATION, "979492")
    assert (coded(losartan, f"{CDA}statusCode")[1], time(losartan, "low")) == ("active", "20250520")


def test_the_two_disagree_about_penicillin() -> None:
    said = []
    for name in ("northfield_ccd.xml", "lakeshore_ccd.xml"):
        allergy = one(name, *ALLERGY, "7980")
        status, criticality, reaction, severity = (
            coded(next(with_template(allergy, template)), f"{CDA}value")[1]
            for template in ("4.28", "4.145", "4.9", "4.8")
        )
        said.append((status, criticality, reaction, severity, time(allergy, "high")))
    assert said == [
        ("55561003", "CRITH", "39579001", "24484000", None),
        ("413322009", "CRITL", "247472004", "255604002", "20250709"),
    ]


def test_influenza_vaccine_is_refused_there_and_given_here() -> None:
    refused = one("northfield_ccd.xml", *VACCINE, "135")
    assert refused.get("negationInd") == "true"
    assert coded(next(with_template(refused, "4.53")), f"{CDA}code")[1] == "PATOBJ"
    given = one("lakeshore_ccd.xml", *VACCINE, "135")
    assert given.get("negationInd") == "false"


def test_hemoglobin_has_one_code_in_two_units() -> None:
    units = set()
    for name in ("northfield_ccd.xml", "lakeshore_ccd.xml"):
        for item in with_template(tree(name), "4.2"):
            value = item.find(f"{CDA}value")
            if coded(item, f"{CDA}code")[1] == "718-7" and value is not None:
                units.add((name.partition("_")[0], value.get("unit")))
    assert units == {("northfield", "g/dL"), ("lakeshore", "g/L")}


def test_the_corrected_note_replaces_the_first_and_drops_its_error() -> None:
    first, corrected = (
        "lakeshore_progress_note_replaced.xml",
        "lakeshore_progress_note.xml",
    )
    parent = tree(corrected).find(f"{CDA}relatedDocument[@typeCode='RPLC']/{CDA}parentDocument")
    assert parent is not None
    assert own_id(parent) == own_id(tree(first))
    one(first, *PROBLEM, "I48.91")
    assert b"I48.91" not in content(corrected)


def test_the_member_id_of_the_plan_stands_in_the_insurance_section() -> None:
    for name in ("northfield_ccd.xml", "lakeshore_ccd.xml", "lakeshore_progress_note.xml"):
        covered = next(with_template(tree(name), "4.89")).find(f"{CDA}participantRole")
        assert covered is not None
        assert own_id(covered) == ("2.999.7300.5", "DM-100045")


def test_the_unstructured_body_is_a_whole_pdf() -> None:
    body = tree("lakeshore_unstructured.xml").find(f"{CDA}component/{CDA}nonXMLBody/{CDA}text")
    assert body is not None
    assert (body.get("mediaType"), body.get("representation")) == ("application/pdf", "B64")
    pdf = base64.b64decode("".join((body.text or "").split()), validate=True)
    assert pdf.startswith(b"%PDF-1.4\n") and pdf.endswith(b"%%EOF\n")
    start = re.search(rb"startxref\n(\d+)\n", pdf)
    assert start is not None and pdf[int(start[1]) :].startswith(b"xref\n")
    for number, offset in enumerate(re.findall(rb"(\d{10}) 00000 n ", pdf), start=1):
        assert pdf[int(offset) :].startswith(b"%d 0 obj\n" % number)
    stream = re.search(rb"/Length (\d+) >>\nstream\n(.*?)\nendstream", pdf, re.DOTALL)
    assert stream is not None and len(stream[2]) == int(stream[1])
    assert b"without diabetic retinopathy" in stream[2]


def broken() -> Element:
    """A CCD that the CDA schema takes and C-CDA does not."""
    root = tree("lakeshore_ccd.xml")
    for allergy in list(with_template(root, "4.7"))[:2]:
        allergy.remove(next(allergy.iterchildren(f"{CDA}value")))
    root.remove(next(root.iterchildren(f"{CDA}languageCode")))
    return root


def test_our_schematron_finds_what_the_iso_skeleton_finds() -> None:
    folder = schemas_folder()
    if folder is None:
        return
    root = broken()
    found = schematron_findings(root, folder)
    assert len(found) >= 3
    assert len(found) == iso_schematron_findings(root, folder)
    with pytest.raises(AssertionError, match="schematron"):
        assert_valid_clinical_document(etree.tostring(root))


def test_without_the_schemas_form_alone_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.conformance.schemas_folder", lambda: None)
    assert_valid_clinical_document(etree.tostring(broken()))
    with pytest.raises(AssertionError):
        assert_valid_clinical_document(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>')


@pytest.mark.parametrize(
    "xml",
    [
        b"<ClinicalDocument/>",
        b'<ClinicalDocument xmlns="urn:hl7-org:v3"><templateId root="1.2.3"/></ClinicalDocument>',
    ],
)
def test_what_is_no_c_cda_document_is_refused(xml: bytes) -> None:
    with pytest.raises(AssertionError):
        assert_valid_clinical_document(xml)
