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
from ccda.sections.subjects import conducted_subject
from ccda.sections.times import Times, read_times
from ccda.sections.value import NO_VALUE, Value
from ccda.values import maker

_entry: Final = maker(Entry)
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
    whether it is information without a name or a value too: a payer, the time of a visit.
    """
    element, children = statement.element, statement.children
    times = read_times(statement) if times is None else times
    above = statement.above
    negated = negated or statement.is_negated or (above is not None and statement.is_within_denied)
    named = (None if code is None else code.original_text) or name
    text = named or narrative.text(statement.text)
    own_status = statement.status
    if statement.is_nullified:
        # What was entered in error is so whatever else is said of it, and all that it holds.
        status = "nullified"
    more: Form = {}
    if not READ_BY_KIND.issuperset(children):
        more = read_particulars(statement, narrative, kind, details)
    if above is not None or statement.section_subject is not None:
        whose = conducted_subject(statement, kind, narrative)
        if whose is not None:
            more["subject"] = whose
    if times.width is not None or times.others:
        more |= times.more()
    if named and statement.text is not None and "content" not in (details or ()):
        content = narrative.text(statement.text)
        if content and not _is_told(content, named, code, value, details):
            more["content"] = content
    if status is not None and own_status is not None and own_status != status:
        more["status_code"] = own_status
    if no_information is None:
        no_information = _says_nothing(
            statement, kind, code, text, value, negated=negated, says_more=says_more
        )
    while above is not None and above.position is None:
        above = above.above
    statement.take_position()
    # By position, in the order of its fields: so many names would take half the time of making it.
    return _entry(
        kind,
        statement.path,
        element.sourceline,
        code,
        times.start,
        times.end,
        times.time,
        status or own_status,
        value.value,
        value.unit,
        text,
        negated,
        no_information,
        element.get("moodCode"),
        read_ids(children),
        read_authors(children["author"]) if "author" in children else (),
        more if details is None else details | more if more else details,
        None if above is None else above.position,
    )


def _is_told(content: str, named: str, code: CD | None, value: Value, details: Form | None) -> bool:
    """Whether the words of a statement only repeat what is told of it anyway."""
    answer = value.value
    told = (
        named,
        name_of(code),
        name_of(answer) if isinstance(answer, CD) else answer,
        (details or {}).get("sig"),
    )
    said = content.casefold()
    return any(isinstance(one, str) and one.casefold() == said for one in told)


def _says_nothing(
    statement: Statement,
    kind: Kind,
    code: CD | None,
    text: str | None,
    value: Value,
    *,
    negated: bool,
    says_more: bool,
) -> bool:
    """Whether it only says that nothing is known: by its code and words, or for want of any.

    An answer is a fact even where nothing names the question: not for resuscitation.
    """
    said = name_of(code) or text
    if kind in _ASSERTED and code is not None and names_a_class(code):
        return _is_unknown_class(statement, code, text or said, negated=negated)
    null_flavor = statement.get("nullFlavor")
    if not says_nothing_is_known(code, said, negated=negated, null_flavor=null_flavor):
        return False
    if null_flavor is not None:
        return True
    if _answers(value, negated=negated):
        return not names_nothing(code, None)
    return not (says_more and not negated and names_nothing(code, said))


def _answers(value: Value, *, negated: bool) -> bool:
    """Whether a value says something: a quantity does, a code or words may say that nothing is."""
    answer = value.value
    if isinstance(answer, CD):
        said = name_of(answer)
        return not says_nothing_is_known(answer, said, negated=negated, null_flavor=None)
    if isinstance(answer, str):
        return not says_nothing_is_known(None, answer, negated=negated, null_flavor=None)
    return answer is not None


def _is_unknown_class(statement: Statement, code: CD, said: str | None, *, negated: bool) -> bool:
    """An allergy or problem of a whole class is what its text makes of it, if there is any.

    A nullFlavor, of the act around it too, leaves nothing.
    """
    null_flavor, above = statement.get("nullFlavor"), statement.above
    if null_flavor is None and above is not None:
        null_flavor = above.get("nullFlavor")
    return says_nothing_is_known(code, said, negated=negated, null_flavor=null_flavor)
