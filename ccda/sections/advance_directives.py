"""Advance directives (C-CDA R2.1: 3.1 Advance Directive Observation, 4.48).

Details: `parties`, the custodian of the directive (CST) and who verified it (VRF); `reference`,
the external document that holds it.
"""

from collections.abc import Iterator

from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.functional_status import findings_in, read_finding
from ccda.sections.participants import read_participants
from ccda.sections.statement import Statement


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    for statement in findings_in("advance_directive", top, narrative):
        parties = read_participants(statement.all("participant"), narrative)
        yield read_finding("advance_directive", statement, narrative, parties=parties)
