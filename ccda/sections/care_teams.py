"""Care teams and their members (C-CDA R2.1 companion: templates 4.500 and 4.500.1).

Details: `panel` of a team, `performer` with `function`, `location`, and as parts
`care_team_type` and `schedule`.
"""

from collections.abc import Iterator

from ccda import templates
from ccda.model import Entry
from ccda.narrative import Narrative
from ccda.sections.entry import make_entry
from ccda.sections.form import without_none
from ccda.sections.participants import read_location, read_performers
from ccda.sections.statement import Statement, walk


def read(top: Statement, narrative: Narrative) -> Iterator[Entry]:
    """The team is an entry of its own; its members name it as their parent."""
    for statement in walk(top):
        if statement.name == "organizer" or _is_member(statement):
            yield make_entry(
                statement,
                "care_team",
                narrative,
                code=narrative.code(statement.one("code")),
                details=without_none(
                    panel=True if statement.name == "organizer" else None,
                    performer=read_performers(statement, narrative),
                    location=read_location(statement, narrative),
                ),
            )


def _is_member(statement: Statement) -> bool:
    if statement.is_a(templates.CARE_TEAM_MEMBER):
        return True
    above = statement.above
    return statement.name == "act" and (above is None or above.above is None)
