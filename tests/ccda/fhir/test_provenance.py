"""Where resources come from: the document, its authors, and who handed it over."""

from ccda.fhir import document_bundle
from tests.ccda.fhir.conftest import by_type, clinical_document, section
from tests.ccda.fhir.test_conditions import problem

AUTHOR = (
    '<recordTarget/><author><time value="20240229120000-0500"/><assignedAuthor>'
    '<id root="2.999.9" extension="{number}"/><assignedPerson><name>{name}</name></assignedPerson>'
    "<representedOrganization><name>Example Clinic</name></representedOrganization>"
    "</assignedAuthor></author>"
)


def test_every_resource_is_told_by_the_document_and_its_author() -> None:
    header = AUTHOR.format(number=1, name="Ann Healer")
    document = clinical_document(section("11450-4", problem()), header)
    found = by_type(document_bundle(document, document_id="held-1", partner="Example HIE"))
    (source,) = found["DocumentReference"]
    assert source["masterIdentifier"]["value"] == "urn:oid:2.999.1"
    assert source["identifier"] == [{"value": "held-1"}]
    (provenance,) = found["Provenance"]
    assert provenance["recorded"] == "2024-02-29T12:00:00-05:00"
    assert provenance["entity"] == [
        {"role": "source", "what": {"reference": f"urn:uuid:{source['id']}"}}
    ]
    names = {f"urn:uuid:{one['id']}": one for kind in found.values() for one in kind}
    author, transmitter = provenance["agent"]
    assert names[author["who"]["reference"]]["name"] == [{"text": "Ann Healer"}]
    assert names[author["onBehalfOf"]["reference"]]["name"] == "Example Clinic"
    assert names[transmitter["who"]["reference"]]["name"] == "Example HIE"
    assert provenance["meta"]["profile"][0].endswith("us-core-provenance")


def test_the_author_of_a_statement_comes_before_the_documents() -> None:
    own = AUTHOR.format(number=2, name="Bob Scribe").removeprefix("<recordTarget/>")
    header = AUTHOR.format(number=1, name="Ann Healer")
    document = clinical_document(section("11450-4", problem(own)), header)
    found = by_type(document_bundle(document, document_id="held-1"))
    (condition,) = found["Condition"]
    url = f"urn:uuid:{condition['id']}"
    people = {f"urn:uuid:{one['id']}": one["name"][0]["text"] for one in found["Practitioner"]}
    (told,) = [one for one in found["Provenance"] if {"reference": url} in one["target"]]
    assert [people[one["who"]["reference"]] for one in told["agent"]] == ["Bob Scribe"]


def test_without_an_author_or_a_time_provenance_says_so() -> None:
    document = clinical_document(section("11450-4", problem()))
    found = by_type(document_bundle(document, document_id="held-1"))
    (provenance,) = found["Provenance"]
    assert provenance["agent"][0]["who"]["extension"][0]["valueCode"] == "unknown"


def test_another_document_has_other_ids() -> None:
    document = clinical_document(section("11450-4", problem()))
    one, two = (document_bundle(document, document_id=name) for name in ("one", "two"))
    ids = [{entry["fullUrl"] for entry in bundle["entry"]} for bundle in (one, two)]
    assert ids[0].isdisjoint(ids[1])
