"""Which statements only say that nothing is known or recorded.

C-CDA R2.1: 3.1 writes "no known allergies" as a negated observation of a class ("allergy to
substance"); others use a code of their own, a nullFlavor, or a sentence in place of a name.
"""

import re
from collections.abc import Callable
from typing import Final

from ccda.hl7v3 import CD

# Classes that name no particular thing: denying one denies every member.
_CLASSES: Final = frozenset(
    "410942007 419199007 416098002 414285001 418038007 420134006 55607006 404684003 64572001 "
    "71388002 105590001 418634005 235719002 282100009 419511003 59037007 426232007 232347008 "
    "106190000 417532002 418471000".split()
)
_CLASS_WORD: Final = (
    r"(?:known|current|active|any|or|to|and|drugs?|foods?|environmental|substances?|"
    r"medicaments?|medications?|medicines?|vaccines?|vaccinations?|immunizations?|allerg\w+|"
    r"intolerances?|propensity|adverse|reactions?|problems?|diseases?|disorders?|conditions?|"
    r"diagnos[ei]s|procedures?|devices?|history)"
)
_CLASS_IN_WORDS: Final = re.compile(rf"{_CLASS_WORD}(?:\W+{_CLASS_WORD})*\W*", re.IGNORECASE)
# SNOMED CT and IPS codes that say it themselves.
_NOTHING_KNOWN: Final = frozenset(
    "160244002 716186003 409137002 429625007 428607008 428197003 428807008 160245001 787481004 "
    "182849000 182904002 160246000 "
    "no-known-allergies no-known-medication-allergies no-known-environmental-allergies "
    "no-known-food-allergies no-known-problems no-known-medications no-known-procedures "
    "no-known-immunizations no-known-devices no-allergy-info no-problem-info "
    "no-medication-info no-procedure-info no-immunization-info no-device-info 160266009".split()
)
_NOTHING_SAID: Final = re.compile(
    r"(?:n\.?k\.?[dfm]?\.?a|none|unknown|n/a|not applicable|not available|not known|"
    r"not documented|not recorded|none known|none recorded|none documented|none reported|"
    r"(?:patient )?(?:has )?no (?:[\w/,-]+ ){0,4}?(?:data|information)\b.*|"
    r"no info|not on any medications?|not on file|nil known|"
    r"nothing (?:known|recorded|on file)|no (?:recent )?results?(?: found| on file)?|"
    r"no (?:[\w/-]+ ){0,2}?(?:vaccin\w+|devices?|implants?|meds|encounters?|entries)"
    r"(?: administered| on file| found)?|"
    r"no (?:(?:past|significant|relevant|family|surgical|social|medical) ){1,3}history"
    r"(?: on file)?|"
    # An unknown drug may be what someone is allergic to; unknown allergies are none that is told.
    r"(?:allergies|medications|problems|immunizations|(?:family )?history) "
    r"(?:unknown|not known|not on file)|unknown (?:allergies|history))[.!]?",
    re.IGNORECASE,
)
# What may follow "no" where nothing particular is denied: the class itself, what it is narrowed to
# and where it was looked for. "No active problems on file" says nothing, "no active bleeding" does.
_CLASSES_DENIED: Final = frozenset(
    "medication medications medicine medicines meds problem problems immunization immunizations "
    "vaccine vaccines vaccination vaccinations procedure procedures history".split()
)
# Without "known" these are what was found: no disease, no adverse reaction.
_CLASSES_UNKNOWN: Final = frozenset(
    "drug drugs food foods substance substances intolerance intolerances reaction reactions "
    "disease diseases disorder disorders condition conditions diagnosis diagnoses concern concerns "
    "surgery surgeries operation operations device devices implant implants "
    "encounter encounters result results goal goals directive directives".split()
)
_LOOKED_FOR: Final = frozenset("known documented recorded reported listed".split())
_AROUND_A_CLASS: Final = (
    _CLASSES_DENIED
    | _CLASSES_UNKNOWN
    | _LOOKED_FOR
    | frozenset(
        "current currently active ongoing new other any past previous prior significant relevant "
        "pertinent chronic acute medical surgical family social health home prescription "
        "prescribed prescriptions otc environmental adverse advance clinical "
        "and or to of on for in at as per by this that the time file record chart list section "
        "patient family visit encounter found noted available present administered taken stated "
        "denies reviewed verified confirmed entered exist exists nka nkda nkfa nkma".split()
    )
)
_MOST_BEFORE_ALLERGY: Final = 4
_WORD: Final = re.compile(r"\w+")
# With a code of a particular thing it is a fact: that drugs are not taken is a problem, too.
_DENIED: Final = re.compile(
    r"(?:the )?(?:patient )?(?:(?:is )?not (?:currently )?(?:taking|on|prescribed) (?:any )?"
    r"(?:[\w/-]+ ){0,2}?(?:medications?|medicines?|meds|drugs)|"
    r"(?:denies|reports no) (?:any )?(?:known )?(?:[\w/-]+ ){0,2}?"
    r"(?:allerg\w+|intolerances?|medications?|meds|problems?))[.!]?",
    re.IGNORECASE,
)
_NOT_AVAILABLE: Final = re.compile(
    r"\b(?:entry|entries|data|information)\b.*\bnot (?:available|applicable|documented|recorded)\b",
    re.IGNORECASE,
)
_LONGEST_MARKER: Final = 200
_FIRST_WORDS: Final = frozenset(
    "no none nka nkda nkfa nkma not nil nothing n/a unknown patient the has is denies reports "
    "allergies medications problems immunizations family history".split()
)
# Most names are told apart by how they begin.
_BEGINNINGS: Final = frozenset(
    case(word[:2])
    for word in (*_FIRST_WORDS, "n.", "* ", "*n")
    for case in (str, str.title, str.upper)
)


def names_nothing(code: CD | None, name: str | None) -> bool:
    """Whether neither a code nor a word says what it is about."""
    return not name and not _is_named(code)


def names_a_class(code: CD) -> bool:
    """Whether it names no particular thing: an allergy, a problem, a substance."""
    return code.code in _CLASSES


def _is_named(code: CD | None) -> bool:
    """By a code or a word, its own or a translation's: those may be translated once more."""
    if code is None:
        return False
    return bool(code.code or code.display) or any(map(_is_named, code.translations))


def says_nothing_is_known(
    code: CD | None, name: str | None, *, negated: bool, null_flavor: str | None
) -> bool:
    """Whether the statement is a marker rather than a fact about a named thing."""
    if names_nothing(code, name):
        return True
    written = code.code if code is not None else None
    if written is None:
        # A denial in words is a fact when it names a thing: "not allergic to peanuts".
        if null_flavor or (negated and (not name or _matches(_CLASS_IN_WORDS.fullmatch, name))):
            return True
        if name and _matches(_NOT_AVAILABLE.search, name):
            return True
    elif written in _NOTHING_KNOWN or ((negated or null_flavor) and written in _CLASSES):
        return True
    if name is None or name[:2] not in _BEGINNINGS:
        return False
    return _is_sentence_of_nothing(name, is_coded=not (written is None or written in _CLASSES))


def _is_sentence_of_nothing(name: str, *, is_coded: bool) -> bool:
    sentence = name.lstrip("* ")
    first = sentence.partition(" ")[0].replace(".", "").rstrip("!").lower()
    if first not in _FIRST_WORDS:
        return False
    said = _matches(_NOTHING_SAID.fullmatch, sentence) or _matches(_denies_a_class, sentence)
    return said or (not is_coded and _matches(_DENIED.fullmatch, sentence))


def _denies_a_class(sentence: str) -> bool | None:
    """Whether it says "no …" of a class alone; None where it does not.

    An allergy may be of anything and is one of a class still: no known dairy allergies.
    """
    words = [word for word in _WORD.findall(sentence.lower()) if not word.isdigit()]
    while words[:1] == ["patient"] or words[:1] == ["has"]:
        del words[0]
    if words[:1] != ["no"]:
        return None
    allergies = [at for at, word in enumerate(words) if word.startswith("allerg")]
    if allergies and allergies[0] <= _MOST_BEFORE_ALLERGY + 1:
        after = (word for word in words[allergies[0] :] if not word.startswith("allerg"))
        return _AROUND_A_CLASS.issuperset(after) or None
    denied = set(words[1:])
    if not _AROUND_A_CLASS.issuperset(denied):
        return None
    is_unknown = not (denied.isdisjoint(_LOOKED_FOR) or denied.isdisjoint(_CLASSES_UNKNOWN))
    return is_unknown or not denied.isdisjoint(_CLASSES_DENIED) or None


def _matches(search: Callable[[str], object], name: str) -> bool:
    """Only of a name: a marker is short, and a whole report would keep the search busy."""
    return len(name) <= _LONGEST_MARKER and search(name) is not None
