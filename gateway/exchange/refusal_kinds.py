"""Of which kind a refusal is, told from the sentence in its record: few enough to be counted by.

A rule's sentence may hold a number, a purpose or the name of a rule, so that there is no end of
them. Each is of one kind here, and `{}` stands for what differs from one refusal to the next. Where
several stand in one record, as of a retrieve, the kind that comes first is why: what a rule says
tells more than that nothing was given.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, Literal

from gateway.exchange.policy import RefusalCode

RefusalKind = (
    RefusalCode
    | Literal[
        "replay", "clock", "certificate", "signature", "assertion", "security_header",
        "answer_not_trusted", "too_often", "too_many", "too_large", "not_understood",
        "not_awaited", "unregistered_address", "other_community", "unexpected", "metadata",
        "malformed", "not_known", "soap_fault", "reported", "other",
    ]
)  # fmt: skip

SENTENCES: Final[dict[RefusalKind, tuple[str, ...]]] = {
    # ---- what a rule says ----
    "opted_out": (
        "The member has opted out of exchange.",
        "the member has opted out of exchange",
    ),
    "not_covered": ("The member's coverage is not in force.",),
    "no_requester": (
        "The request names no {}.",
        "The request names no person who asks.",
    ),
    "no_purpose": ("The assertion states no purpose of use.",),
    "unknown_purpose": (
        "The assertion's purpose of use is not a known one.",
        "The purpose of use is refused.",
    ),
    "treatment_not_agreed": (
        "A plan may not state treatment as its purpose; no registered agreement names it.",
    ),
    "not_delegated": (
        "The QueryAuthGrantor is not known here.",
        "The QueryAuthGrantor is not of the form Organization/<oid>.",
        "The organization of the QueryAuthGrantor has not listed this community as one that may"
        " ask in its name.",
        "The delegation is refused.",
    ),
    "not_taken": (
        "No rule lets this community submit documents for this purpose.",
        "The submission is refused.",
    ),
    "confidentiality": ("Its confidentiality is not offered ({}): {}.",),
    "own_document": ("The document came from this partner.",),
    "no_rule": (
        "No rule offers it for {}: {}.",
        "What replaced it is offered to nobody.",
        "no rule lets this partner ask for {}",
        "no rule tells anybody patient locations",
        "no rule tells this partner patient locations for {}",
    ),
    "not_filed": ("The document is not filed under this member.",),
    # ---- who has sent it, and when ----
    "replay": ("the message was received before",),
    "clock": (
        "the Timestamp has no creation time, or ends twice",
        "the Timestamp ends before it begins",
        "the Timestamp was made in the future",
        "the Timestamp has expired",
        "the assertion is not valid yet",
        "the assertion has expired",
        "a time in the security header is no xs:dateTime",
        "a time in the security header is no date that exists",
    ),
    "certificate": (
        "no client certificate was shown",
        "the client certificate belongs to no partner",
        "a client certificate in a header, and not from our proxy",
        "the proxy passed on no client certificate, or several",
        "the proxy passed on no certificate that can be read",
        "it has left its network",
        "the signing certificate is not the one shown in TLS",
        "the signing certificate is not one pinned for this partner",
        "the signing certificate does not name this partner",
        "the signing certificate does not chain to the network's anchors",
        "the signing key is none that is registered for this partner",
        "the partner's signing certificate is not in force",
        "the certificate was revoked",
        "whether the certificate was revoked is unknown: {}",
        "a certificate in the message cannot be read",
        "a certificate's key cannot be read",
        "a certificate's key is neither RSA nor ECDSA",
    ),
    "signature": (
        "the signature was not made with the signer's key",
        "the signed element was changed after signing",
        "the signature's algorithm is not one for the signer's key",
        "the signature's {} is an algorithm we do not take",
        "the signature's {} is not built as our profile demands",
        "the signature refers to another element than it stands for",
        "the signature stands alone",
        "signxml refuses the signature: {}",
        "SignedInfo is canonicalised in a way we do not take here",
        "the signed element has no id",
        "the signed element has no canonical form",
        "the id of a signed element is empty or not its own",
        "a canonicalisation has parameters we do not take",
        "a PrefixList is not a list of names",
        "a Signature holds a comment",
        "an ECDSA signature has the wrong length",
        "an ECDSA key is on none of the curves P-256, P-384, P-521",
        "an RSA key has fewer than 2048 bits, or too many",
        "an RSA key has a public exponent of more than 256 bits",
        "a KeyValue holds no key we can read",
        "a KeyInfo has more than one KeyValue",
        "no key that may have signed is known",
        "the answer confirms a signature that we did not send",
        "the answer does not confirm the signature of our request",
    ),
    "assertion": (
        "The assertion states another home community than the certificate's.",
        "the assertion is not SAML 2.0",
        "the assertion lacks its issuer or issue instant",
        "the assertion states what decides on access in two ways",
        "the assertion's home community is no object identifier",
        "the assertion has more than one Conditions",
        "the assertion has a condition we do not know",
        "the assertion names no audience",
        "the assertion is meant for another audience",
        "the assertion confirms no holder of a key",
        "the assertion confirms more keys than are tried",
        "an assertion stands where none may",
        "a SubjectConfirmationData names two different keys",
    ),
    # ---- how much, and to whom ----
    "too_often": ("the community asks for more than {} persons in a minute",),
    "too_many": (
        "More than {} objects fit the query. Ask for their ids (ObjectRef), or less.",
        "At most {} documents are given in one answer.",
        "At most {} summaries are made for one answer.",
        "the submission has more objects than we take",
    ),
    "too_large": (
        "the envelope is larger than we take",
        "the envelope is over our limit",
        "the envelope is over our limit on {}",
        "the header of a part is over our limit",
        "the message has more parts than we take",
        "the message is over our limit",
    ),
    "not_understood": ("a header marked mustUnderstand is not known to this service",),
    "not_awaited": (
        "an answer to this request came before",
        "the answer relates to no request of ours",
        "the answer relates to a request to another partner",
        "the answer relates to another message than our request",
        "the answer came when its request was given up",
        "a result of this question came before",
        "the result names no question of ours",
        "the result is of a question to another partner",
        "the result came when its question was given up",
    ),
    "unregistered_address": (
        "The {} address is not registered for this community.",
        "the respondTo address is not registered for this community",
    ),
    "other_community": (
        "The home community id is not that of this gateway.",
        "The repository is not one of this community.",
        "The patient id is of another assigning authority.",
        "home is no OID",
    ),
    # ---- the message itself ----
    "unexpected": (
        "{} is not answered at this address",
        "MTOM required: a message with attachments is multipart/related;"
        ' type="application/xop+xml"',
        "the content type is not one of SOAP 1.2",
        "the content is not multipart/related",
        "the envelope is SOAP 1.1; this transaction demands SOAP 1.2",
        "the wsa:Action is not one of this service",
        "the body is not the one that its wsa:Action demands",
        "the message is an answer; this is where requests are taken",
        "the message is no answer of the transaction",
        "AdhocQuery has an unknown id",
    ),
    "metadata": (
        "a document does not say which entry it belongs to",
        "a document entry has no id or no unique id",
        "a document has neither content nor an included part",
        "a document has no entry in the metadata",
        "a registry package has no id or no unique id",
        "a registry package is neither a submission set nor a folder",
        "an association has no id, no source or no target",
        "an association joins an object to itself",
        "the document is missing of {}",
        "the document {} has no content",
        "the entry UUID of {} stands for another document",
        "the hash of {} is not the one of its metadata",
        "the homeCommunityId is no OID",
        "the part of {} {}",
        "the size of {} is not the one of its metadata",
        "the submission set and its documents are of different patients",
        "there is not exactly one submission set",
        "two documents of the submission have one uniqueId",
        "two objects of the submission have one id",
        "{} was submitted before with another content",
    ),
    "malformed": (
        "AdhocQuery has no home community id, and the query names no patient.",
        "AdhocQuery is missing",
        "DocumentRequest is missing",
        "DocumentUniqueId is missing or too long",
        "HomeCommunityId is no OID",
        "RepositoryUniqueId is missing or no OID",
        "RequestedPatientId does not name exactly one patient id",
        "SubmitObjectsRequest or its RegistryObjectList is missing",
        "The document request names no home community.",
        "The ids are those of several patients: ask for each by itself.",
        "The submission names no home community.",
        "a deferred question says where to answer (respondTo)",
        "a header holds an xop:Include",
        "a match has no patient id that could be asked for",
        "a match names no home community",
        "a part of the message has a header field twice",
        "a part of the message has a line that is no header field",
        "a part's Content-Transfer-Encoding is not known",
        "a part is not the base64 that it says it is",
        "an ObjectRef has no id",
        "an include is no cid: URL",
        "an xop:Include refers to something other than a part",
        "the Content-Type has no usable boundary",
        "the Content-Type is not a media type",
        "the SOAP body has more than one child",
        "the SOAP body has no canonical form",
        "the SOAP body is empty",
        "the answer neither acknowledges nor answers",
        "the answer says not found and names a person",
        "the body is no {}",
        "the connection ended before the message",
        "the envelope cannot be read: {}",
        "the envelope has not exactly one {}",
        "the message does not begin with its boundary",
        "the message ends before its closing boundary",
        "the message has no root part",
        "the message is empty",
        "the message is no {}",
        "the message took too long to arrive",
        "the parameters of the Content-Type cannot be read",
        "the root element is no SOAP 1.2 envelope",
        "two parts have one Content-ID",
        "{} and {} are both given",
        "sender names no home community",
        "wsa:Action is missing",
        "wsa:MessageID is missing",
        "{} is missing",
        "{} is missing or empty",
        "{} is missing, and so is {}",
        "{} is no time",
        "{} lists more names than one query may",
        "a value is too long to be one",
        "{} is not of the form id^^^&oid&ISO",
        "{} is repeated",
        "{} stands more than once",
        "{} takes one value",
    ),
    "security_header": (
        "a value in the security header is empty",
        "a value in the security header is no base64",
        "there is not exactly one wsse:Security header",
        "verification failed: {}",
        "{} has not exactly one {}",
    ),
    # ---- nothing of what was asked for ----
    "not_known": (
        "No document of this unique id is available to this community.",
        "no member of this patient id is open to this partner",
        "no other community is known to know the member",
    ),
    # ---- we were refused ----
    "soap_fault": ("it answered with a SOAP fault ({}){}",),
    "reported": ("it reported {}",),
    "answer_not_trusted": ("its answer could not be trusted: {}",),
}
_BEFORE: Final = re.compile(r"^|; |\d not given: |its answer could not be trusted: ")
_AFTER: Final = r"(?:; |$| \d+ not given: )"
_PLACES: Final = 12
_CHARACTERS: Final = 1000
"""What is looked at of a reason: of a sentence that quotes a message no part is to cost time."""


def refusal_kind(reason: str | None) -> RefusalKind:
    """The kind of a refused exchange by what its record says; `other` where that is in no kind."""
    return _kind((reason or "")[:_CHARACTERS])


@lru_cache(maxsize=4096)
def _kind(reason: str) -> RefusalKind:
    places = [found.end() for found in islice(_BEFORE.finditer(reason), _PLACES)]
    return next(
        (kind for kind, said in _PATTERNS if any(said.match(reason, place) for place in places)),
        "other",
    )


def _patterns() -> Iterator[tuple[RefusalKind, re.Pattern[str]]]:
    for kind, sentences in SENTENCES.items():
        yield kind, re.compile("|".join(map(_spelled, sentences)), re.DOTALL)


def _spelled(sentence: str) -> str:
    """What ends with a part that differs may be of any length: its beginning is enough."""
    fixed = sentence.removesuffix(".")
    is_open = fixed.endswith("{}")
    told = fixed.removesuffix("{}") if is_open else sentence
    return re.escape(told).replace(r"\{\}", ".*?") + ("" if is_open else _AFTER)


_PATTERNS: Final = tuple(_patterns())
