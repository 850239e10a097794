from collections.abc import Callable

import pytest

from ccda.hl7v3 import TS
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_procedure_has_three_forms(entries_of: EntriesOf) -> None:
    procedures = entries_of("procedure")
    forms = [procedure.details["statement"] for procedure in procedures]
    assert forms == ["procedure", "observation", "act"]
    assert [procedure.negated for procedure in procedures] == [False, False, True]
    assert (procedures[1].value, procedures[1].unit) == ("4", "min")


def test_a_procedure_names_site_and_performer(entries_of: EntriesOf) -> None:
    colonoscopy = entries_of("procedure")[0]
    assert colonoscopy.time == TS("201806")
    assert colonoscopy.details["target_site"][0]["display"] == "Colon"
    assert colonoscopy.details["performer"] == [
        {"name": "Grace Okafor", "ids": ["2.16.840.1.113883.4.6^1234567893"]}
    ]


def test_a_refused_procedure_keeps_its_reason(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "47519-4",
        '<procedure negationInd="true"><code code="73761001"/><entryRelationship typeCode="RSON">'
        '<observation><value xsi:type="CD" code="105480006" displayName="Refusal"/></observation>'
        "</entryRelationship></procedure>",
    )
    assert (entry.negated, entry.no_information) == (True, False)
    assert entry.details["indication"][0]["code"] == "105480006"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('<value xsi:type="CD" code="74400008" displayName="Appendicitis"/>', "Appendicitis"),
        ('<value xsi:type="ST">Appendicitis</value>', "Appendicitis"),
    ],
)
def test_a_reason_keeps_its_times_words_and_parts(
    read_entries: ReadEntries, value: str, name: str
) -> None:
    (entry,) = read_entries(
        "47519-4",
        '<procedure><code code="80146002"/><entryRelationship typeCode="RSON"><observation>'
        '<id root="2.999" extension="1"/><code code="282291009"/><text>seen in CT</text>'
        f'<effectiveTime><low value="20200101"/></effectiveTime>{value}'
        '<author><time value="2020"/><assignedAuthor><assignedPerson><name>Dr Fox</name>'
        "</assignedPerson></assignedAuthor></author>"
        '<entryRelationship typeCode="SUBJ"><observation><code code="SEV"/>'
        '<value xsi:type="CD" code="24484000" displayName="Severe"/></observation>'
        "</entryRelationship></observation></entryRelationship></procedure>",
    )
    (reason,) = entry.details["indication"]
    assert (reason["display"], reason["start"], reason["ids"]) == (
        name,
        "2020-01-01",
        ["2.999^1"],
    )
    assert reason["content"] == "seen in CT"
    assert reason["author"] == [{"name": "Dr Fox", "time": "2020"}]
    assert reason["severity_observation"][0]["value"]["display"] == "Severe"


def test_a_procedure_with_a_device_names_it(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "47519-4",
        '<procedure><code code="1"/><participant typeCode="DEV"><participantRole>'
        '<id root="1.2" extension="UDI"/><playingDevice><code code="9" displayName="Stent"/>'
        "</playingDevice></participantRole></participant></procedure>",
    )
    (device,) = entry.details["device"]
    assert (device["code"]["display"], device["ids"]) == ("Stent", ["1.2^UDI"])
