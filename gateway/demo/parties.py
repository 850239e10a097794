"""Who takes part in the demo: a health plan, and four communities that it asks.

All of it is made up. Two EHRs hold documents of the same person, one has never heard of her,
and one answers later than the plan waits.
"""

from dataclasses import dataclass
from typing import Final

from ccda.hl7v3 import AD, II, PN, TEL, TS
from ihe.xcpd import Demographics

PLAN_ID: Final = "demo"
PLAN_NAME: Final = "Demo Health Plan"
PURPOSE: Final = "PAYMENT"
AUTHORITY: Final = "urn:oid:2.999.7300.7"
"""The made-up agreement under which the plan asks."""
MEMBER_ID_ROOT: Final = "2.999.7300.5"


@dataclass(frozen=True, slots=True)
class Party:
    """One community on the loopback network. `documents` are files of gateway/demo/documents."""

    key: str
    name: str
    home_community_id: str
    documents: tuple[str, ...] = ()
    patient_number: str | None = None
    """Its own number of the demo's person, if it knows her; the root is its arc 2."""
    moods: tuple[str, ...] = ()
    """How it misbehaves: such a one is not this gateway, but what `gateway simulate` runs."""


PLAN: Final = Party("plan", PLAN_NAME, "2.999.7300")
PARTNERS: Final = (
    Party(
        "northfield",
        "Northfield Health",
        "2.999.7301.1",
        ("northfield_discharge_summary.xml", "northfield_ccd.xml"),
        patient_number="NF-220871",
    ),
    Party(
        "lakeshore",
        "Lakeshore Medical Group",
        "2.999.7302.1",
        (
            "lakeshore_progress_note_replaced.xml",
            "lakeshore_progress_note.xml",
            "lakeshore_unstructured.xml",
            "lakeshore_ccd.xml",
        ),
        patient_number="LS-0093345",
    ),
    Party("eastgate", "Eastgate Clinic", "2.999.7303.1"),
    Party("riverbend", "Riverbend Hospital", "2.999.7304.1", moods=("hang",)),
)

HISP: Final = Party("harborview", "Harborview Urgent Care", "2.999.7305.1")
"""It answers no query: it pushes what happened by Direct mail, as its own security agent."""
VISIT: Final = "harborview_visit.xml"
DIRECT_DOMAINS: Final = {
    PLAN.key: "direct.demoplan.example",
    HISP.key: "direct.harborview.example",
}
SENDER: Final = f"visits@{DIRECT_DOMAINS[HISP.key]}"
INTAKE: Final = f"records@{DIRECT_DOMAINS[PLAN.key]}"

_ADDRESS: Final = AD(("214 Sample Orchard Road",), "Exampleton", "WI", "53999", "US", use="HP")
_PHONE: Final = TEL("tel:+1-608-555-0142", "HP")

MEMBER_NUMBER: Final = "DM-100045"
MEMBER: Final = Demographics(
    names=(PN("Sampleton", ("Rosalind", "June"), use="L"),),
    birth_time=TS("19580314"),
    gender="F",
    addresses=(_ADDRESS,),
    telecoms=(_PHONE,),
    ids=(II(MEMBER_ID_ROOT, MEMBER_NUMBER),),
)
"""The person everyone speaks of, as the plan's roster has her."""
