"""Every document at hand becomes a valid bundle, and every statement in it a resource."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccda import CcdaError, ClinicalDocument, parse_document
from ccda.fhir import Conversion, document_conversion, fhir_json
from ccda.fhir.us_core import BASE, lacks
from ccda.model import KINDS
from tests.ccda.fhir.structure import faults

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (
    ROOT.parent / "shared" / "corpus",
    ROOT / "tests" / "samples" / "ccda",
    ROOT / "gateway" / "demo" / "documents",
)
Converted = list[tuple[Path, ClinicalDocument, Conversion]]


def _documents() -> Iterator[tuple[Path, ClinicalDocument]]:
    for folder in FOLDERS:
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if file.is_file():
                try:
                    yield file, parse_document(file.read_bytes())
                except CcdaError:
                    continue


@pytest.fixture(scope="module")
def converted() -> Converted:
    return [
        (
            file,
            document,
            document_conversion(document, document_id=file.name, partner="Example HIE"),
        )
        for file, document in _documents()
    ]


def test_every_statement_reaches_a_resource(converted: Converted) -> None:
    stated: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    for _, document, conversion in converted:
        urls = {entry["fullUrl"] for entry in conversion.bundle["entry"]}
        for at, section in enumerate(document.sections):
            for position, entry in enumerate(section.entries):
                if not entry.no_information:
                    stated[entry.kind] += 1
                    links = conversion.resources.get((at, position), ())
                    reached[entry.kind] += bool(links) and urls.issuperset(links)
    assert reached == stated
    assert set(stated) == set(KINDS)


def test_every_bundle_is_as_fhir_demands(converted: Converted) -> None:
    wrong = {file.name: found for file, _, one in converted if (found := faults(one.bundle))}
    assert wrong == {}


def test_every_resource_says_where_it_comes_from(converted: Converted) -> None:
    for file, _, conversion in converted:
        resources = [entry["resource"] for entry in conversion.bundle["entry"]]
        told = {
            target["reference"]
            for resource in resources
            if resource["resourceType"] == "Provenance"
            for target in resource["target"]
        }
        untold = [
            resource["resourceType"]
            for resource in resources
            if f"urn:uuid:{resource['id']}" not in told and resource["resourceType"] != "Provenance"
        ]
        assert untold == [], file


def test_the_same_document_gives_the_same_bytes(converted: Converted) -> None:
    for file, document, conversion in converted:
        again = document_conversion(document, document_id=file.name, partner="Example HIE")
        assert fhir_json(again.bundle) == fhir_json(conversion.bundle), file


def test_a_profile_is_claimed_only_where_nothing_is_missing(converted: Converted) -> None:
    claimed: Counter[str] = Counter()
    for file, _, conversion in converted:
        for entry in conversion.bundle["entry"]:
            for profile in entry["resource"].get("meta", {}).get("profile", ()):
                name = profile.removeprefix(BASE)
                claimed[name] += 1
                assert lacks(entry["resource"], name) == (), file
    assert claimed.keys() >= {
        "us-core-patient", "us-core-allergyintolerance", "us-core-observation-lab",
        "us-core-blood-pressure", "us-core-immunization", "us-core-encounter", "us-core-procedure",
        "us-core-condition-problems-health-concerns", "us-core-medicationrequest",
    }  # fmt: skip


def test_every_bundle_can_be_read_as_json(converted: Converted) -> None:
    for _, _, conversion in converted:
        assert json.loads(fhir_json(conversion.bundle))["resourceType"] == "Bundle"
