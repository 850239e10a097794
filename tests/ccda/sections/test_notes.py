from collections.abc import Callable

from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_note_in_a_procedures_section_is_a_note(read_entries: ReadEntries) -> None:
    note = (
        '<act><templateId root="2.16.840.1.113883.10.20.22.4.202"/><code code="34109-9"/>'
        "<text>All well</text></act>"
    )
    entries = read_entries("47519-4", note, '<procedure><code code="1"/></procedure>')
    assert [entry.kind for entry in entries] == ["note", "procedure"]
    assert entries[0].text == "All well"


def test_a_note_inside_an_encounter_names_it_as_parent(read_entries: ReadEntries) -> None:
    note = (
        '<act><templateId root="2.16.840.1.113883.10.20.22.4.202"/><code code="34109-9"/>'
        "<text>Seen</text></act>"
    )
    entries = read_entries(
        "46240-8",
        f'<encounter><code code="1"/><entryRelationship typeCode="COMP">{note}'
        "</entryRelationship></encounter>",
    )
    assert [(entry.kind, entry.parent) for entry in entries] == [("encounter", None), ("note", 0)]


def test_a_note_is_its_text_and_type(entries_of: EntriesOf) -> None:
    (note,) = entries_of("note")
    assert note.text == "Feels well today."
    assert note.code is not None and note.code.translations[0].display == "Progress note"
    assert note.details == {"media_type": "text/plain"}


def test_a_note_keeps_its_content_where_its_code_has_words_of_its_own(
    read_entries: ReadEntries,
) -> None:
    (note,) = read_entries(
        "11506-3",
        '<act><templateId root="2.16.840.1.113883.10.20.22.4.202"/>'
        '<code code="34109-9"><originalText>Nursing note</originalText></code>'
        "<text>Slept well</text></act>",
    )
    assert (note.text, note.details["content"]) == ("Nursing note", "Slept well")


def test_a_note_without_a_template_is_known_by_the_code_of_any_note(
    read_entries: Callable[..., tuple[Entry, ...]],
) -> None:
    note = '<act moodCode="EVN"><code code="34109-9"/><text>All is well</text></act>'
    (found,) = read_entries("11506-3", note)
    assert (found.kind, found.text) == ("note", "All is well")
