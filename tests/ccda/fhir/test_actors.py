"""Persons and organizations: each once, and an organization has no home (org-2, org-3)."""

from ccda.fhir import document_bundle
from tests.ccda.fhir.conftest import by_type, clinical_document

PROVIDER = (
    "<recordTarget><patientRole><patient/><providerOrganization>"
    '<id root="2.999.8"/><name>Example Clinic</name><telecom use="HP" value="tel:1"/>'
    '<telecom use="WP" value="tel:2"/><addr use="HP"><city>Town</city></addr>'
    "</providerOrganization></patientRole></recordTarget>"
)


def test_what_a_source_calls_the_home_of_an_organization_has_no_use() -> None:
    found = by_type(document_bundle(clinical_document("", PROVIDER), document_id="one"))
    (clinic,) = found["Organization"]
    assert clinic["telecom"] == [
        {"system": "phone", "value": "1"},
        {"system": "phone", "value": "2", "use": "work"},
    ]
    assert clinic["address"] == [{"city": "Town"}]
    assert found["Patient"][0]["managingOrganization"]["reference"] == f"urn:uuid:{clinic['id']}"
