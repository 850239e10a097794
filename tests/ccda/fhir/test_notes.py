"""Notes: their type is a translation, their content the enclosed file or the words."""

from base64 import b64decode

from tests.ccda.fhir.conftest import Convert

NOTES = "11506-3"


def note(text: str, status: str = "completed", is_denied: str = "false") -> str:
    return (
        f'<act moodCode="EVN" negationInd="{is_denied}">'
        '<templateId root="2.16.840.1.113883.10.20.22.4.202"/>'
        '<code code="34109-9" codeSystem="2.16.840.1.113883.6.1"><translation code="11506-3" '
        'codeSystem="2.16.840.1.113883.6.1" displayName="Progress note"/></code>'
        f'{text}<statusCode code="{status}"/><effectiveTime value="20240101"/></act>'
    )


def test_the_type_is_the_translation(convert: Convert) -> None:
    found = convert(NOTES, note("<text>Well today.</text>"))["DocumentReference"]
    assert found[0]["type"]["coding"][0]["code"] == "11506-3"
    assert found[0]["category"][0]["coding"][0]["code"] == "clinical-note"
    assert found[0]["meta"]["profile"][0].endswith("us-core-documentreference")


def test_words_are_enclosed_as_plain_text(convert: Convert) -> None:
    found = convert(NOTES, note("<text>Well today.</text>"))["DocumentReference"]
    attachment = found[0]["content"][0]["attachment"]
    assert attachment["contentType"] == "text/plain"
    assert b64decode(attachment["data"]) == b"Well today."


def test_an_enclosed_file_stays_as_it_is(convert: Convert) -> None:
    given = note('<text mediaType="application/pdf" representation="B64">JVBERi0x</text>')
    found = convert(NOTES, given)["DocumentReference"]
    assert found[0]["content"][0]["attachment"] == {
        "contentType": "application/pdf", "data": "JVBERi0x",
    }  # fmt: skip


def test_a_note_that_is_denied_is_told_by_nobody(convert: Convert) -> None:
    found = convert(NOTES, note("<text>Patient fell.</text>", is_denied="true"))
    assert all("category" not in one for one in found["DocumentReference"])


def test_a_note_entered_in_error_says_so(convert: Convert) -> None:
    found = convert(NOTES, note("<text>Patient fell.</text>", status="nullified"))
    assert found["DocumentReference"][0]["status"] == "entered-in-error"
