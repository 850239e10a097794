"""A conformance report as one page that can be sent to the partner it is about.

It needs nothing beside it: no script, no font, no picture. What stands in it is redacted already
(`partner_findings`), so it says nothing of any patient.
"""

from typing import Final

from ccda.html.entries import facts
from ccda.html.markup import NOTHING, Html, join, tag, text
from ccda.html.shell import write_contents, write_page
from gateway.exchange.partner_findings import Finding, Report

HEADS: Final = {
    "deviation": "Deviations from the standard",
    "limitation": "Limitations, and what is harder than it need be",
    "passed": "As it should be",
}
"""What a report shows of each level, in this order."""
_READING: Final = (
    "Each request named here can be found in the partner's own log by its message id."
    " Fragments are redacted: … stands for content."
)


def render_check(report: Report) -> str:
    """The page; every finding with its rule, the request it answers and the message's fragment."""
    found = {level: [one for one in report.findings if one.level == level] for level in HEADS}
    title = f"Conformance report: {report.partner}"
    links = [(level, HEADS[level], len(some), 0) for level, some in found.items() if some]
    return write_page(
        title,
        header=join(tag("h1", text(title)), _head(report)),
        contents=write_contents(links),
        main=join(*(_section(level, some) for level, some in found.items() if some)),
        footer=tag("p", text(_READING)),
    )


def _head(report: Report) -> Html:
    count = len(report.deviations)
    verdict = f"{count} found" if count else "none found"
    return facts(
        [
            ("Home community", report.home_community_id),
            ("Checked by", report.by),
            ("Checked at", f"{report.checked:%Y-%m-%d %H:%M} UTC"),
            ("Answers", "yes" if report.answers else "no answer that can be read"),
            ("Deviations", verdict),
        ],
        "facts",
    )


def _section(level: str, found: list[Finding]) -> Html:
    head = tag("h2", text(HEADS[level]), id=level)
    return tag("section", head, tag("ol", *map(_finding, found)))


def _finding(one: Finding) -> Html:
    said = facts([("Rule", one.section), ("Request", one.message_id)], "facts")
    fragment = NOTHING if one.fragment is None else tag("pre", text(one.fragment))
    line = tag("p", tag("strong", text(one.place)), text(f": {one.text}"))
    return tag("li", line, said, fragment)
