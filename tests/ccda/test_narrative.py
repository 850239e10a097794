import pytest

from ccda.hl7v3 import CD, NAMESPACE
from ccda.narrative import Narrative, words
from ccda.safe_xml import Element, parse_xml


def text_element(content: str) -> Element:
    return parse_xml(f'<text xmlns="{NAMESPACE}">{content}</text>'.encode())


def code_element(content: str) -> Element:
    return parse_xml(f'<code xmlns="{NAMESPACE}" nullFlavor="UNK">{content}</code>'.encode())


def plain_text(element: Element) -> str | None:
    return Narrative(element).plain_text()


def test_rows_are_lines_and_cells_are_set_apart_by_tabs() -> None:
    table = "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td/><td>2</td></tr></table>"
    assert plain_text(text_element(table)) == "A\tB\n1\t\t2"


def test_inline_markup_does_not_cut_words() -> None:
    text = "hyper<content styleCode='Bold'>tension</content> <br/>\n  H<sub>2</sub>O"
    assert plain_text(text_element(text)) == "hypertension\nH2O"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("10<sup>3</sup>/uL", "10^3/uL"),
        ("10<sup styleCode='Bold'><content>-3</content></sup>", "10^-3"),
        ("180<sup>1</sup> mg", "180^1 mg"),
        ("treated<sup>2</sup>", "treated^2"),
        ("1<sup>st</sup>", "1st"),
        ("Na<sup>+</sup>", "Na+"),
        ("10 <sup>3</sup>", "10 3"),
        ("<table><tr><td>10</td><td><sup>3</sup></td></tr></table>", "10\t3"),
        ("10<sup/>3", "103"),
        ("type 2<footnote ID='f'>since youth</footnote>", "type 2 since youth"),
        ("type 2<footnote>1975</footnote>now", "type 2 1975 now"),
    ],
)
def test_what_is_raised_or_a_footnote_is_no_part_of_the_word_before(
    written: str, said: str
) -> None:
    """Ten to the third is not 103, nor is 180 with the mark of a footnote 1801."""
    assert plain_text(text_element(written)) == said
    narrative = Narrative(text_element(f'<td ID="a">{written}</td>'), Narrative())
    assert narrative.resolve("#a") == said.replace("\t", " ")


STRUCK_OUT = '<content revised="delete">Peni<content>cil<br/></content>lin</content>'


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (f'<td ID="a">{STRUCK_OUT}<content revised="insert">Sulfa</content></td>', "Sulfa"),
        (f'<td ID="a">{STRUCK_OUT}</td>', None),
        ('<content ID="a" revised="delete">Penicillin</content>', None),
        ('<content revised="delete"><content ID="a">Penicillin</content></content>', None),
        ('<td ID="a"><content revised="delete"/>Sulfa</td>', "Sulfa"),
        ('<td ID="a">Sulfa, see revised="delete"</td>', 'Sulfa, see revised="delete"'),
        (f'<list ID="a"><item>Sulfa<list><item>{STRUCK_OUT}</item></list></item></list>', "Sulfa"),
    ],
)
@pytest.mark.parametrize("is_sections_own", [True, False])
def test_what_was_struck_out_is_not_said(
    written: str, said: str | None, is_sections_own: bool
) -> None:
    """CDA R2: 4.3.5.2."""
    text = text_element(written)
    own, whole = (text, Narrative()) if is_sections_own else (None, Narrative(text))
    narrative = Narrative(own, whole)
    assert narrative.resolve("#a") == said
    assert not list(narrative.complaints())
    assert Narrative(text).plain_text() == said


def test_paragraphs_and_items_are_lines() -> None:
    text = "<paragraph>a</paragraph><list><caption>b</caption><item>c</item><item>d</item></list>e"
    assert plain_text(text_element(text)) == "a\nb\nc\nd\ne"


def test_written_signs_come_out_as_signs() -> None:
    assert plain_text(text_element("a &lt;b&gt; &amp;lt; &#233; &quot;")) == 'a <b> &lt; é "'


def test_a_greater_than_in_an_attribute_is_no_tag_end() -> None:
    assert plain_text(text_element('<content styleCode="a>b">c</content>')) == "c"


def test_markup_with_a_prefix_reads_the_same() -> None:
    markup = f'<n:text xmlns:n="{NAMESPACE}"><n:paragraph>a</n:paragraph>b</n:text>'
    assert plain_text(parse_xml(markup.encode())) == "a\nb"


@pytest.mark.parametrize("empty", ["", "  \n", "<table><tr><td/></tr></table>"])
def test_no_words_are_none(empty: str) -> None:
    assert plain_text(text_element(empty)) is None
    assert words(text_element(empty)) is None


def test_words_are_one_line() -> None:
    assert words(text_element("<paragraph>a</paragraph>\n<paragraph>b</paragraph>")) == "a b"


@pytest.fixture
def narrative() -> Narrative:
    document = text_element('<a><td ID="x1">Chest <b>pain</b></td><td ID="x2">there</td></a>')
    own = text_element('<paragraph ID="x2">here</paragraph>')
    return Narrative(own, Narrative(document))


@pytest.mark.parametrize("reference", ["#x1", "x1", " #x1 "])
def test_a_reference_is_followed_with_and_without_its_sign(
    narrative: Narrative, reference: str
) -> None:
    assert narrative.resolve(reference) == "Chest pain"


def test_the_sections_own_words_come_before_the_documents(narrative: Narrative) -> None:
    assert narrative.resolve("#x2") == "here"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('<td ID="a">Tom &amp;amp; Jerry &lt;3</td>', "Tom &amp; Jerry <3"),
        ('<td ID="a">Chest <b>pain</b></td>', "Chest pain"),
        ('<td ID="a"><b/> Chest pain</td>', "Chest pain"),
        ('<td title="b>" ID="a" align="left">Chest pain</td>', "Chest pain"),
        ('<td ID="b"/>not this<td ID="a">Chest pain</td>', "Chest pain"),
        ('written ID="a" > here<td ID="a">Chest pain</td>', "Chest pain"),
        ('<td ID="a">Chest pain</td><td ID="a">later</td>', "Chest pain"),
        ('<td ID="a"><b>Chest</b> pain</td><td ID="a">later</td>', "Chest pain"),
        ('<list ID="a"><item>Chest <list><item>pain</item></list></item></list>no', "Chest pain"),
        ('<list ID="a"><item>Chest</item><item>pain</item></list>no', "Chest pain"),
        ('<t ID="a">Chest <td>pain</td></t>no', "Chest pain"),
        ('<td ID="a"/>not this', None),
        ('<td ID="a"/>not this<td ID="a">nor that</td>', None),
    ],
)
def test_the_words_of_exactly_the_element_with_the_id_are_taken(
    written: str, said: str | None
) -> None:
    narrative = Narrative(text_element(written), Narrative())
    assert narrative.resolve("#a") == said
    assert not list(narrative.complaints())


@pytest.mark.parametrize("reference", ["#nothing", "#"])
def test_a_dangling_reference_is_none_and_noted(narrative: Narrative, reference: str) -> None:
    assert narrative.resolve(reference) is None
    assert list(narrative.complaints()) == ["a reference points to no text"]


@pytest.mark.parametrize(
    "written",
    [
        '<originalText><reference value="#x1"/></originalText>',
        '<originalText>see <reference value="x1"/></originalText>',
        "<originalText>#x1</originalText>",
        "<originalText>Chest pain</originalText>",
        '<originalText>Chest pain<reference value="#nothing"/></originalText>',
        '<reference value="#x1"/>',
    ],
)
def test_original_text_is_found_however_it_is_written(narrative: Narrative, written: str) -> None:
    code = narrative.code(code_element(written))
    assert code is not None and code.original_text == "Chest pain"


def test_text_that_only_looks_like_a_reference_is_text(narrative: Narrative) -> None:
    assert narrative.text(text_element("#1")) == "#1"


def test_translations_keep_their_own_original_text(narrative: Narrative) -> None:
    code = narrative.code(
        code_element('<translation code="R07.9"><originalText>pain</originalText></translation>')
    )
    assert code == CD(None, null_flavor="UNK", translations=(CD("R07.9", original_text="pain"),))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<translation code="1">', "</translation>"),
        ('<qualifier><value code="1">', "</value></qualifier>"),
        ('<qualifier><name code="1">', "</name></qualifier>"),
    ],
)
@pytest.mark.parametrize(
    ("nested", "kept", "noted"),
    [
        (2, 2, []),
        (8, 8, []),
        (80, 8, ["codes or organizations stand deeper in one another than is read"]),
    ],
)
def test_codes_in_codes_are_read_no_deeper_than_can_be_compared(
    narrative: Narrative, before: str, after: str, nested: int, kept: int, noted: list[str]
) -> None:
    element = code_element(before * nested + after * nested)
    code = narrative.code(element)
    assert code == Narrative().code(element)
    assert repr(code).count("code='1'") == kept
    assert list(narrative.complaints()) == noted


def test_a_code_that_says_nothing_is_none(narrative: Narrative) -> None:
    assert narrative.code(parse_xml(b"<code codeSystem='1.2'/>")) is None
    assert narrative.code(None) is None


def test_no_more_text_is_referred_to_than_can_be_followed() -> None:
    large = "<b>x</b>" * 1_000_000
    narrative = Narrative(text_element(f'<table ID="all">{large}</table>'))
    followed = [narrative.resolve("#all") is not None for _ in range(5)]
    assert followed == [True, True, True, False, False]
    assert list(narrative.complaints()) == ["more text is referred to than is followed"]


SPELLINGS = ("#a b", "a b", " #a b ", "# a b", "#a%20b", "page.html#a%20b", "#A B")


@pytest.mark.parametrize("reference", SPELLINGS)
def test_a_reference_is_followed_whichever_way_it_is_written(reference: str) -> None:
    narrative = Narrative(text_element('<content ID="a b">Asthma</content>'))
    assert narrative.resolve(reference) == "Asthma"
    assert list(narrative.complaints()) == []


@pytest.mark.parametrize("attribute", ["ID", "id", "Id", "xml:id"])
@pytest.mark.parametrize("name", ["content", "td", "tr", "item", "paragraph", "list", "table"])
def test_an_element_is_found_by_any_attribute_that_names_it(name: str, attribute: str) -> None:
    narrative = Narrative(text_element(f'<{name} {attribute}="a1">Asthma</{name}>'))
    assert narrative.resolve("#a1") == "Asthma"


def test_a_qualifier_is_read_with_its_code() -> None:
    code = Narrative().code(
        code_element('<qualifier><name code="2"/><value code="3"/></qualifier>')
    )
    assert code == CD(None, null_flavor="UNK", qualifiers=((CD("2"), CD("3")),))
