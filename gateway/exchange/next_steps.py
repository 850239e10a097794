"""What to do about a partner's failure: one sentence for whoever reads how it answered."""

from typing import Final

from gateway.clients.failures import (
    BrokenOff,
    Busy,
    EmptyAnswer,
    NotCalled,
    NotDeferred,
    NotSoap,
    NotTrusted,
    PartnerLate,
    Redirected,
    Resting,
    TooLarge,
    Unreachable,
)
from ihe.errors import (
    CommunityCouldNotAnswer,
    IheError,
    MalformedMessage,
    MessageTooLarge,
    SecurityRefused,
    SoapFault,
    UnexpectedMessage,
)

CHECK: Final = "`gateway partners check` writes a report to send to the partner"
SOMEONE_ELSE: Final = (
    "`gateway held list --member` shows whom it returned beside the member: tell the partner if"
    " that is another person"
)
_LATER: Final = "Ask again later; if it stays so, tell the partner"
_STEPS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (NotCalled, "Complete the partner's file and add it again with `gateway partners add`"),
    (
        NotTrusted,
        "Compare the certificates on both sides: ask the partner for its current one, and whether"
        f" it accepts ours; {CHECK}",
    ),
    (
        Resting,
        f"Find out what ails it ({CHECK}); `gateway partners list` says when it is asked again",
    ),
    (Redirected, "Ask the partner for its current addresses: redirects are not followed"),
    (Busy, "Ask again later"),
    (EmptyAnswer, f"{_LATER} that it answers with nothing; {CHECK}"),
    (Unreachable, "Check the address and the firewalls on the way, then ask again"),
    (
        NotDeferred,
        "Ask the partner whether it answers deferred questions; if not, say"
        " deferred_discovery = false in its profile",
    ),
    (
        BrokenOff,
        # TLS 1.3: who does not accept our certificate says so after the handshake, and may have
        # closed before that arrives.
        f"{_LATER} that its connections break, and ask whether it accepts our TLS certificate"
        f" (`gateway keys list`); {CHECK}",
    ),
    (TooLarge, "Ask the partner what it sends; [limits] in gateway.toml says how much we take"),
    (NotSoap, f"Check the address: something other than a SOAP service answers there; {CHECK}"),
    (PartnerLate, "Ask again later, or give it more time: timeout_seconds in its profile"),
    (SecurityRefused, f"Compare clocks and signing certificates with the partner; {CHECK}"),
    (CommunityCouldNotAnswer, _LATER),
    (MessageTooLarge, "[limits] in gateway.toml says how much we take"),
    (UnexpectedMessage, f"Tell the partner that its answer belongs to another request; {CHECK}"),
    (MalformedMessage, f"Tell the partner that its answer breaks the standard; {CHECK}"),
)
_OURS: Final = "The partner finds fault with our request: show it this exchange's message id"
_THEIRS: Final = f"{_LATER} that it answers with a fault; {CHECK}"
_MTOM: Final = (
    'Ask the partner how it takes documents, and say so in its profile: mtom = "always" (as the'
    ' standard has it) or "never"'
)
_UNKNOWN: Final = f"See `gateway exchanges show` for what came; {CHECK}"

LISTED_FOR_OTHERS: Final = (
    "Ask the partner why its list names another patient id; if it may,"
    " other_patient_id_accepted in its profile says so"
)
FROM_ELSEWHERE: Final = (
    "Ask the partner why its documents name another community; if they may,"
    " other_home_accepted in its profile says so"
)
NOT_GIVEN: Final = "Tell the partner which documents it lists and does not give; " + CHECK
NOT_ASKED_FOR: Final = "Tell the partner that it gives documents under ids that nobody asked for"
NOT_THE_LISTED: Final = (
    "Tell the partner that size or hash of its list are not those of its documents; the bytes are"
    " held"
)
DECIDE_MATCH: Final = (
    "Decide whether it is the member: `gateway held list`, then `held confirm` or `held reject`"
)
DECIDE_DOCUMENTS: Final = (
    "Decide whose the held documents are: `gateway held list`, then `held file` or `held reject`"
)
ADD_HOLDER: Final = (
    "Add the community that holds the records to the directory (`gateway partners add` or"
    " `import`), then retrieve again"
)
WITH_ANOTHER: Final = (
    "See whether the two members are one person; if the documents are filed with the wrong one,"
    " `gateway held unfile` takes them out"
)
INCOMPLETE: Final = "Ask again later for the rest of the list; if it stays so, tell the partner"


def next_step(error: BaseException) -> str | None:
    """What the reader can do; None of a fault of our own, which the log of the service explains."""
    if isinstance(error, SoapFault) and error.is_about_mtom:
        return _MTOM
    if isinstance(error, SoapFault):
        return _OURS if error.code in ("Sender", "Client") else _THEIRS
    for kind, step in _STEPS:
        if isinstance(error, kind):
            return step
    return _UNKNOWN if isinstance(error, IheError) else None
