"""FHIR R4 from C-CDA: `document_bundle`, `summary_bundle`, and `fhir_json` to write them.

Plain dicts and lists, following HL7 C-CDA on FHIR 2.0.0 and US Core 6.1. A number whose written
digits no float keeps is a Decimal in them: `fhir_json` writes those digits.
"""

from ccda.fhir.bundle import (
    Conversion,
    document_bundle,
    document_conversion,
    summary_bundle,
)
from ccda.fhir.numbers import fhir_json

__all__ = ["Conversion", "document_bundle", "document_conversion", "fhir_json", "summary_bundle"]
