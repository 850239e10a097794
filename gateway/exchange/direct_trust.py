"""Whether we take Direct mail from an address, or send it there: by our anchors, and what the
issuers of certificates say now (DECISIONS 5, 24).

`direct.trust` decides; here it is given the anchors of our own domain, and what it asks for is
fetched and remembered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from direct.trust import STRICT, Strictness, Usage, Verdict, judge
from gateway.clients.revocation import RevocationChecks
from gateway.model.direct_anchors import Direction
from gateway.store import direct_anchors
from gateway.store.database import Database
from ihe.revocation import Answer, Needs, Question

_MOST_QUESTIONS: Final = 16
"""Of one verdict: each may take seconds, and a certificate may name a hundred lists."""


@dataclass(frozen=True, slots=True)
class DirectTrust:
    """Judges certificates; many threads may share one."""

    database: Database
    checks: RevocationChecks
    strictness: Strictness = STRICT
    """For anchors that state none of their own."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def judge(
        self,
        certificate: x509.Certificate,
        *,
        address: str,
        domain: str,
        direction: Direction,
        others: Sequence[x509.Certificate] = (),
        usage: Usage | None = None,
    ) -> Verdict:
        """The verdict on `certificate` for `address`, by the anchors of our `domain`.

        What comes in is signed with the certificate, what goes out encrypted to it, unless
        `usage` says otherwise. It blocks, perhaps for seconds: call it in a thread.
        """
        anchors = self.database.read(
            lambda tx: direct_anchors.trusted(tx, domain=domain, direction=direction)
        )
        answers: dict[Question, Answer] = {}
        while True:
            verdict = judge(
                certificate,
                address=address,
                others=others,
                anchors=anchors,
                usage=usage or ("sign" if direction == "incoming" else "encrypt"),
                answers=answers,
                now=self.clock(),
                strictness=self.strictness,
            )
            if isinstance(verdict, Needs):
                question = verdict.question
                spent = len(answers) >= _MOST_QUESTIONS
                answers[question] = None if spent else self.checks.ask(question)
                continue
            if verdict.until is not None:
                self.checks.keep(answers, until=verdict.until)
            return verdict
