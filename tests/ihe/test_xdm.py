"""XDM packages: what others zip, what we write, and that others can read it."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ihe.ebrim import write_document_entry
from ihe.identifiers import Oid, PatientId, UniqueId
from ihe.metadata import Code, DocumentEntry, SubmissionSet
from ihe.rim import rim
from ihe.xdm import XdmSubmission, read_xdm, write_xdm

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared/samples/direct/nhin-d/java"
NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
PATIENT = PatientId("p1", Oid("2.999.1"))
SHA1 = "9cd414aa9c6ebcf10120086c4be98cfd4afcd092"
DOCUMENT = b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>"


def entry(number: int, **changes: object) -> DocumentEntry:
    base = DocumentEntry(
        entry_uuid=f"urn:uuid:00000000-0000-0000-0000-{number:012}",
        unique_id=UniqueId(f"2.999.2.{number}"),
        patient_id=PATIENT,
        mime_type="text/xml",
        title="Visit summary",
        creation_time="20261126",
        type_code=Code("34133-9", "2.16.840.1.113883.6.1", "Summary of episode note"),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # names of DocumentEntry's fields


def submission(number: int, *documents: tuple[DocumentEntry, bytes]) -> XdmSubmission:
    given = SubmissionSet(
        entry_uuid=f"urn:uuid:11111111-0000-0000-0000-{number:012}",
        unique_id=UniqueId(f"2.999.3.{number}"),
        source_id=Oid("2.999.4"),
        patient_id=PATIENT,
        submission_time="20261126060000",
    )
    return XdmSubmission(given, documents)


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def metadata(*entries: DocumentEntry) -> bytes:
    root = etree.Element("SubmitObjectsRequest")
    listed = etree.SubElement(root, rim("RegistryObjectList"))
    listed.extend(write_document_entry(each) for each in entries)
    return etree.tostring(root)


# ---- ours ------------------------------------------------------------------------------------


def test_what_we_write_reads_back_with_its_metadata() -> None:
    pdf = entry(2, mime_type="application/pdf", unique_id=UniqueId("2.999.2.7"))
    given = submission(1, (entry(1), DOCUMENT), (pdf, b"%PDF-1.7"))
    package = read_xdm(write_xdm([given], organization="Plan & Co <x>", now=NOW))
    assert package.is_xdm
    assert package.defects == ()
    assert package.submission_sets == (given.submission_set,)
    first, second = package.documents
    assert (first.content, second.content) == (DOCUMENT, b"%PDF-1.7")
    assert first.entry is not None
    assert first.entry == entry(1, uri="DOC00001.XML", hash=SHA1, size_bytes=len(DOCUMENT))
    assert second.submission_set == given.submission_set
    assert first.defects == second.defects == ()


def test_several_submission_sets_stay_apart() -> None:
    first, second = submission(1, (entry(1), DOCUMENT)), submission(2, (entry(2), b"<other/>"))
    package = read_xdm(write_xdm([first, second], organization="Plan", now=NOW))
    assert [file.submission_set for file in package.documents] == [
        first.submission_set,
        second.submission_set,
    ]


def test_others_read_what_we_write() -> None:
    raw = write_xdm([submission(1, (entry(1), DOCUMENT))], organization="Plan", now=NOW)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == [
            "INDEX.HTM",
            "README.TXT",
            "IHE_XDM/SUBSET01/DOC00001.XML",
            "IHE_XDM/SUBSET01/METADATA.XML",
        ]
        root = etree.fromstring(archive.read(names[3]))
        index = archive.read(names[0])
        assert etree.fromstring(index[index.index(b"<html") :]).tag.endswith("html")
    assert [etree.QName(each).localname for each in root[0]] == [
        "ExtrinsicObject",
        "RegistryPackage",
        "Association",
    ]
    association = root[0][2]
    assert association.get("sourceObject") == root[0][1].get("id")
    assert association.get("targetObject") == root[0][0].get("id")


def test_the_same_package_is_the_same_bytes() -> None:
    given = [submission(1, (entry(1), DOCUMENT))]
    first = write_xdm(given, organization="Plan", now=NOW)
    assert first == write_xdm(given, organization="Plan", now=NOW)


# ---- theirs ----------------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")
@pytest.mark.parametrize("room", ["xdmail", "xd-common"])
def test_packages_of_the_reference_agent(room: str) -> None:
    """Backslashes and no IHE_XDM in one, a folder more in the other; no URI in either."""
    package = read_xdm((SAMPLES / room / "src/test/resources/samplexdm.zip").read_bytes())
    assert package.is_xdm
    (document,) = package.documents
    assert document.entry is not None
    assert str(document.entry.unique_id) == "1.3.6.1.4.1.21367.2005.3.9999.32"
    assert document.entry.source_patient_info[1] == "PID-5|Doe^John^^^"
    assert document.submission_set is not None
    assert str(document.submission_set.unique_id) == "1.3.6.1.4.1.21367.2005.3.9999.33"


def test_a_package_without_metadata_still_gives_its_documents() -> None:
    package = read_xdm(zipped({"IHE_XDM/SUBSET01/DOC.XML": DOCUMENT, "INDEX.HTM": b"<p>"}))
    assert not package.is_xdm
    assert [file.content for file in package.documents] == [DOCUMENT]


def test_bad_metadata_is_a_defect_and_the_document_is_still_there() -> None:
    package = read_xdm(zipped({"METADATA.XML": b"<broken", "DOC.XML": DOCUMENT}))
    assert [file.content for file in package.documents] == [DOCUMENT]
    assert len(package.defects) == 1


@pytest.mark.parametrize("uri", ["doc.xml", "SUB/DOC.XML", ".\\Doc.Xml", "/SUB/DOC.XML"])
def test_a_uri_is_found_whatever_its_case_and_root(uri: str) -> None:
    files = {"sub/metadata.xml": metadata(entry(1, uri=uri)), "SUB/DOC.XML": DOCUMENT}
    if not uri.upper().startswith(("SUB", "/SUB")):
        files = {"SUB/METADATA.xml": metadata(entry(1, uri=uri)), "SUB/DOC.XML": DOCUMENT}
    (document,) = read_xdm(zipped(files)).documents
    assert document.entry is not None


def test_metadata_that_could_be_anothers_is_joined_to_none() -> None:
    files = {"METADATA.XML": metadata(entry(1), entry(2)), "A.XML": DOCUMENT, "B.XML": b"<b/>"}
    package = read_xdm(zipped(files))
    assert [file.entry for file in package.documents] == [None, None]
    assert package.defects == ("2 documents of METADATA.XML are not in the package",)


def test_a_document_that_the_metadata_lists_and_the_package_lacks_is_said() -> None:
    files = {"METADATA.XML": metadata(entry(1, uri="GONE.XML")), "OTHER.XML": DOCUMENT}
    package = read_xdm(zipped(files))
    assert package.documents[0].entry is None
    assert package.defects


def test_hash_and_size_that_do_not_match_are_said() -> None:
    listed = entry(1, uri="A.XML", hash="0" * 40, size_bytes=1)
    package = read_xdm(zipped({"METADATA.XML": metadata(listed), "A.XML": DOCUMENT}))
    assert len(package.documents[0].defects) == 2


def test_what_a_mac_leaves_behind_is_no_document() -> None:
    files = {"__MACOSX/._A.XML": b"x", ".DS_Store": b"x", "A.XML": DOCUMENT}
    assert [file.path for file in read_xdm(zipped(files)).documents] == ["A.XML"]


@given(st.lists(st.binary(max_size=500), min_size=1, max_size=5))
def test_any_documents_survive_to_the_byte(contents: list[bytes]) -> None:
    documents = [(entry(number), content) for number, content in enumerate(contents, 1)]
    package = read_xdm(write_xdm([submission(1, *documents)], organization="P", now=NOW))
    assert [file.content for file in package.documents] == contents
    assert all(file.entry is not None and not file.defects for file in package.documents)
