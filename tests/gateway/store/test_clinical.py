"""What documents say comes back as it went in."""

from ccda.hl7v3 import CD, II, TS
from ccda.model import Author, Entry, Interval, Section
from gateway.model.identity import DocumentId, MemberId
from gateway.store import clinical, documents
from gateway.store.database import Database
from gateway.store.transaction import Transaction
from tests.gateway.store.builders import ACME, NOW, OTHER, a_document

D1, M1 = DocumentId("d1"), MemberId("m1")

PROBLEM = Entry(
    kind="problem",
    path="/*[1]",
    line=412,
    code=CD(
        "38341003",
        "2.16.840.1.113883.6.96",
        "Hypertension",
        original_text="high blood pressure",
        translations=(CD("I10", "2.16.840.1.113883.6.90"),),
    ),
    start=TS("2010"),
    end=TS(None, "UNK"),
    status="active",
    ids=(II("2.999", "1"),),
    authors=(Author(name="Dr. A", time=TS("20120806")),),
    details={"severity": {"code": "x", "system": None, "display": "mild"}},
    mood="EVN",
)
RESULT = Entry(
    kind="result",
    path="/*[2]",
    code=CD("4548-4", "2.16.840.1.113883.6.1", "HbA1c"),
    time=TS("20120806102200-0500"),
    value="7.20",
    unit="%",
    parent=0,
)
SMOKER = Entry(kind="social_history", path="/*[3]", value=CD("8517006", "6.96", "Ex-smoker"))
RANGE = Entry(
    kind="result", path="/*[4]", value=Interval("1", None), code=CD(None, null_flavor="UNK")
)
NOTHING = Entry(kind="allergy", path="/*[5]", negated=True, no_information=True, code=CD(None))
SECTIONS = (
    Section(
        CD("11450-4", "6.1", "Problem list"), "Problems", ("2.5.1",), "Hypertension", (PROBLEM,)
    ),
    Section(CD("30954-2", "6.1"), "Results", (), None, (RESULT, RANGE), line=9, path="/x"),
    Section(None, None, (), "text", (SMOKER, NOTHING), null_flavor="NI"),
    Section(CD("48765-2", "6.1"), "Allergies", (), "none"),
)


def _file(house: Database) -> None:
    def unit(transaction: Transaction) -> None:
        documents.insert(transaction, a_document())
        clinical.insert_sections(transaction, plan=ACME, document=D1, sections=SECTIONS)
        documents.file(transaction, plan=ACME, document=D1, member=M1)

    house.write(unit)


def test_sections_and_statements_come_back_whole(house: Database) -> None:
    _file(house)
    assert house.read(lambda t: clinical.sections(t, plan=ACME, document=D1)) == SECTIONS


def test_statements_are_numbered_over_the_document_and_know_their_section(house: Database) -> None:
    _file(house)
    found = house.read(lambda t: clinical.of_document(t, plan=ACME, document=D1))
    assert [(entry.ordinal, entry.section) for entry in found] == [
        (0, "11450-4"),
        (1, "30954-2"),
        (2, "30954-2"),
        (3, None),
        (4, None),
    ]
    assert found[0].entry == PROBLEM


def test_a_second_reading_replaces_the_first(house: Database) -> None:
    _file(house)
    indexed = house.write(
        lambda t: clinical.insert_sections(t, plan=ACME, document=D1, sections=SECTIONS[1:2])
    )
    assert house.read(lambda t: clinical.of_document(t, plan=ACME, document=D1)) == indexed
    assert len(indexed) == 2
    assert house.read(lambda t: clinical.sections(t, plan=ACME, document=D1)) == SECTIONS[1:2]


def test_a_members_statements_are_those_of_filed_documents(house: Database) -> None:
    _file(house)
    ((document, entries),) = house.read(lambda t: clinical.of_member(t, plan=ACME, member=M1))
    assert document.id == "d1"
    assert [entry.entry for entry in entries] == [PROBLEM, RESULT, RANGE, SMOKER, NOTHING]
    house.write(lambda t: documents.withdraw(t, plan=ACME, document=D1, reason="wrong patient"))
    assert house.read(lambda t: clinical.of_member(t, plan=ACME, member=M1)) == ()


def test_superseded_versions_are_seen_only_when_asked_for(house: Database) -> None:
    _file(house)
    house.write(lambda t: documents.insert(t, a_document("d2")))
    house.write(lambda t: documents.supersede(t, plan=ACME, document=D1, by=DocumentId("d2")))
    assert house.read(lambda t: clinical.of_member(t, plan=ACME, member=M1)) == ()
    found = house.read(lambda t: clinical.of_member(t, plan=ACME, member=M1, superseded=True))
    assert [document.id for document, _ in found] == ["d1"]


def test_another_plan_sees_nothing(house: Database) -> None:
    _file(house)
    assert house.read(lambda t: clinical.of_member(t, plan=OTHER, member=M1)) == ()
    assert house.read(lambda t: clinical.load_summary(t, plan=OTHER, member=M1)) is None


def test_the_summary_is_replaced_as_a_whole(house: Database) -> None:
    for text in ("first", "second"):
        house.write(
            lambda t, text=text: clinical.save_summary(
                t, plan=ACME, member=M1, summary={"sections": {"problems": [text]}}, as_of=NOW
            )
        )
    assert house.read(lambda t: clinical.load_summary(t, plan=ACME, member=M1)) == {
        "sections": {"problems": ["second"]}
    }
