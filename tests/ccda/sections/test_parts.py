from collections.abc import Callable

from ccda import ClinicalDocument, parse_document
from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
Sample = Callable[[str], bytes]

PROBLEMS, RESULTS, ENCOUNTERS, PROCEDURES = "11450-4", "30954-2", "46240-8", "47519-4"
ROOT = "2.16.840.1.113883.10.20.22.4."


def template(arc: str) -> str:
    return f'<templateId root="{ROOT}{arc}"/>'


def inside(statement: str, relation: str = "REFR") -> str:
    return f'<entryRelationship typeCode="{relation}">{statement}</entryRelationship>'


def test_a_part_stands_under_the_name_of_its_template(read_entries: ReadEntries) -> None:
    prognosis = (
        f'<observation moodCode="EVN">{template("113")}<code code="75328-5"/>'
        '<effectiveTime value="2024"/><value xsi:type="ST">Guarded</value></observation>'
    )
    (problem,) = read_entries(
        PROBLEMS, f'<observation><value xsi:type="CD" code="1"/>{inside(prognosis)}</observation>'
    )
    (part,) = problem.details["prognosis"]
    assert (part["relation"], part["time"], part["value"]) == ("REFR", "2024", {"value": "Guarded"})


def test_a_part_of_no_known_template_is_related_and_whole(read_entries: ReadEntries) -> None:
    part = (
        '<observation moodCode="RQO" negationInd="true"><templateId root="1.2.3"/>'
        '<id root="1" extension="a"/><code code="x" displayName="Why"/><value xsi:type="PQ" '
        'value="3" unit="d"/><entryRelationship typeCode="COMP"><act><text>Inner</text></act>'
        "</entryRelationship></observation>"
    )
    (procedure,) = read_entries(
        PROCEDURES, f'<procedure><code code="1"/>{inside(part, "CAUS")}</procedure>'
    )
    assert procedure.details["related"] == [
        {
            "statement": "observation",
            "relation": "CAUS",
            "mood": "RQO",
            "negated": True,
            "ids": ["1^a"],
            "code": {"code": "x", "system": None, "display": "Why"},
            "value": {"value": "3", "unit": "d"},
            "related": [{"statement": "act", "relation": "COMP", "text": "Inner"}],
            "templates": ["1.2.3"],
        }
    ]


def test_a_comment_is_kept_on_what_it_comments_with_its_author(read_entries: ReadEntries) -> None:
    plain = f"<act>{template('64')}<code code='48767-8'/><text>Seen twice</text></act>"
    signed = (
        f"<act>{template('64')}<text>By hand</text><author><assignedAuthor><assignedPerson>"
        "<name>Ada</name></assignedPerson></assignedAuthor></author></act>"
    )
    (result,) = read_entries(
        RESULTS, f'<observation><code code="1"/>{inside(plain)}{inside(signed)}</observation>'
    )
    assert result.details["comment"] == ["Seen twice", "By hand"]
    (part,) = result.details["related"]
    assert part["author"] == [{"name": "Ada"}]


def test_a_comment_on_a_concern_goes_to_its_condition(read_entries: ReadEntries) -> None:
    comment = f"<act>{template('64')}<text>Watched closely</text></act>"
    condition = '<observation><value xsi:type="CD" code="1"/></observation>'
    (problem,) = read_entries(PROBLEMS, f"<act>{inside(condition, 'SUBJ')}{inside(comment)}</act>")
    assert problem.details["comment"] == ["Watched closely"]


def test_an_encounter_named_by_a_statement_is_kept_with_it(read_entries: ReadEntries) -> None:
    visit = '<encounter><id root="1" extension="visit"/></encounter>'
    (procedure,) = read_entries(
        PROCEDURES, f'<procedure><code code="1"/>{inside(visit, "COMP")}</procedure>'
    )
    assert procedure.details["encounter"][0]["ids"] == ["1^visit"]


def test_an_act_around_an_entry_says_what_it_says(read_entries: ReadEntries) -> None:
    drug = "<consumable><manufacturedProduct><manufacturedMaterial><code code='1'/>"
    drug += "</manufacturedMaterial></manufacturedProduct></consumable>"
    given = inside(f"<substanceAdministration>{drug}</substanceAdministration>", "SUBJ")
    (medication,) = read_entries("10183-2", f"<act><code code='10183-2'/>{given}</act>")
    (around,) = medication.details["within"]
    assert (around["statement"], around["code"]["code"]) == ("act", "10183-2")


def test_what_has_a_shape_of_its_own_is_not_told_twice(read_entries: ReadEntries) -> None:
    status = (
        '<observation><code code="33999-4"/><value xsi:type="CD" code="55561003"/></observation>'
    )
    severity = '<observation><code code="SEV"/><value xsi:type="CD" code="24484000"/></observation>'
    (problem,) = read_entries(
        PROBLEMS,
        f'<observation><value xsi:type="CD" code="1"/>{inside(status)}{inside(severity)}'
        "</observation>",
    )
    assert problem.status == "active"
    assert problem.details["severity"]["code"] == "24484000"
    assert set(problem.details) == {"severity", "clinical_status"}


def test_a_second_of_what_is_told_once_is_kept_too(read_entries: ReadEntries) -> None:
    severity = '<observation><code code="SEV"/><value xsi:type="CD" code="{}"/></observation>'
    (problem,) = read_entries(
        PROBLEMS,
        '<observation><value xsi:type="CD" code="1"/>'
        f"{inside(severity.format(1))}{inside(severity.format(2))}</observation>",
    )
    assert problem.details["severity"]["code"] == "1"
    assert problem.details["severity_observation"][0]["value"]["code"] == "2"


def test_a_scale_keeps_its_items(read_entries: ReadEntries) -> None:
    two = '<code code="i"/><value xsi:type="INT" value="2"/>'
    item = f"<observation>{template('86')}{two}</observation>"
    scale = f'<observation>{template("69")}<code code="s"/>{inside(item, "COMP")}</observation>'
    (finding,) = read_entries("29762-2", scale)
    assert finding.details["scale_item"][0]["value"] == {"value": "2"}


def test_an_entry_reference_names_the_entry_in_another_section(sample: Sample) -> None:
    document: ClinicalDocument = parse_document(sample("thin_kinds.xml"))
    goal, outcome = (e for s in document.sections for e in s.entries if e.kind == "goal")
    (reference,) = outcome.details["entry_reference"]
    assert (reference["path"], reference["kind"]) == (goal.path, "goal")
    assert outcome.details["outcome"] is True and outcome.mood == "EVN"


def test_an_entry_reference_to_nothing_keeps_its_id(read_entries: ReadEntries) -> None:
    reference = f'<act>{template("122")}<id root="1" extension="gone"/></act>'
    (procedure,) = read_entries(
        PROCEDURES, f'<procedure><code code="1"/>{inside(reference)}</procedure>'
    )
    (kept,) = procedure.details["entry_reference"]
    assert kept["ids"] == ["1^gone"] and "path" not in kept


def test_udi_parts_are_those_written_and_no_others(read_entries: ReadEntries) -> None:
    def part(arc: int, value: str) -> str:
        return f"<component><observation>{template(str(arc))}{value}</observation></component>"

    organizer = "".join(
        (
            f"<organizer>{template('311')}",
            '<id root="2.16.840.1.113883.3.3719" extension="(01)0084"/>',
            part(304, '<value xsi:type="II" root="1.3.160" extension="0084"/>'),
            part(319, '<value xsi:type="ED">S-1</value>'),
            part(309, '<value xsi:type="TS" value="20290101"/>'),
            part(318, '<value xsi:type="CD" code="C113844" displayName="Labeling"/>'),
            "</organizer>",
        )
    )
    (device,) = read_entries(
        "46264-8", f'<procedure><code code="1"/>{inside(organizer, "COMP")}</procedure>'
    )
    (udi,) = device.details["udi"]
    assert udi["ids"] == ["2.16.840.1.113883.3.3719^(01)0084"]
    assert udi["serial_number"] == "S-1"
    assert udi["expiration_date"] == "2029-01-01"
    assert udi["mri_safety"]["display"] == "Labeling"
    assert udi["device_identifier"] == "1.3.160^0084"
    assert "lot_number" not in udi
