"""What every kind of entry shares: where it stands, who says it, when, in which state."""

from typing import Final

from ccda.hl7v3 import CD
from ccda.model import Entry, Kind
from ccda.narrative import Narrative
from ccda.sections.form import Form, name_of
from ccda.sections.no_information import (
    names_a_class,
    names_nothing,
    says_nothing_is_known,
)
from ccda.sections.participants import read_authors, read_ids
from ccda.sections.particulars import READ_BY_KIND, read_particulars
from ccda.sections.statement import Statement
from ccda.sections.times import Times, read_times
from ccda.sections.value import NO_VALUE, Value

# Kinds whose code is what is asserted, and not the question that a value answers.
_ASSERTED: Final = frozenset(("allergy", "problem"))


def make_entry(
    statement: Statement,
    kind: Kind,
    narrative: Narrative,
    *,
    code: CD | None,
    name: str | None = None,
    value: Value = NO_VALUE,
    times: Times | None = None,
    status: str | None = None,
    negated: bool = False,
    no_information: bool | None = None,
    says_more: bool = False,
    details: Form | None = None,
) -> Entry:
    """The entry of a statement about `code`.

    `name` is the words that stand for the code, where they stand beside it. `status` and
    `negated` add to what the statement's own statusCode and negationInd say. `says_more` is
    whether it is information without a name too: an answer, a payer, the time of a visit.
    """
    times = read_times(statement) if times is None else times
    above = statement.above
    negated = negated or statement.is_negated or (above is not None and statement.is_within_denied)
    text = (None if code is None else code.original_text) or name
    text = text or narrative.text(statement.text)
    own_status = statement.status
    children = statement.children
    more: Form = {}
    if not children.keys() <= READ_BY_KIND:
        more = read_particulars(statement, narrative, kind, details)
    if status is not None and own_status is not None and own_status != status:
        more["status_code"] = own_status
    if no_information is None:
        said = name_of(code) or text
        if kind in _ASSERTED and code is not None and names_a_class(code):
            no_information = _is_unknown_class(statement, code, text or said, negated=negated)
        else:
            null_flavor = statement.get("nullFlavor")
            no_information = says_nothing_is_known(
                code, said, negated=negated, null_flavor=null_flavor
            ) and not (
                says_more and not negated and null_flavor is None and names_nothing(code, said)
            )
    while above is not None and above.position is None:
        above = above.above
    statement.take_position()
    return Entry(
        kind=kind,
        path=statement.path,
        line=statement.element.sourceline,
        code=code,
        start=times.start,
        end=times.end,
        time=times.time,
        status=status or own_status,
        value=value.value,
        unit=value.unit,
        text=text,
        negated=negated,
        no_information=no_information,
        mood=statement.get("moodCode"),
        ids=read_ids(children),
        authors=read_authors(children["author"]) if "author" in children else (),
        details=more if details is None else details | more if more else details,
        parent=None if above is None else above.position,
    )


def _is_unknown_class(statement: Statement, code: CD, said: str | None, *, negated: bool) -> bool:
    """An allergy or problem of a whole class is what its text makes of it, if there is any.

    A nullFlavor, of the act around it too, leaves nothing.
    """
    null_flavor, above = statement.get("nullFlavor"), statement.above
    if null_flavor is None and above is not None:
        null_flavor = above.get("nullFlavor")
    return says_nothing_is_known(code, said, negated=negated, null_flavor=null_flavor)
