"""Whether partners' certificates still hold: asked of their issuers, and remembered (DECISIONS 5).

`ihe.revocation` decides; here the questions are sent and the answers kept until they go out of
date. Everything blocks: it is called in a thread.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, assert_never

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.clients.fetch import Fetcher, FetchFailed
from ihe.errors import SecurityRefused
from ihe.revocation import (
    Answer,
    Answers,
    Good,
    Needs,
    NotThere,
    Question,
    Revoked,
    Undecided,
    decide,
)

log = logging.getLogger(__name__)

Strictness = Literal["required", "when_reachable", "off"]
"""`required`: what cannot be found out refuses; `when_reachable`: it does not, but is logged."""

_AGAIN: Final = timedelta(minutes=1)
"""So long whoever could not be reached is left alone: each try may take seconds."""
_LONGEST: Final = timedelta(hours=12)
"""A list may say that it holds for a year: the issuer makes new ones in between."""
_MOST_CERTIFICATES: Final = 10_000
_MOST_BYTES: Final = 128 * 1024 * 1024
_OCSP_TYPE: Final = "application/ocsp-request"
_NOT_THERE: Final = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, and when it is asked for anew."""

    content: Answer
    again: datetime


_Judged = tuple[bytes, bool]
"""A certificate by its fingerprint, and whether it was pinned."""


@lru_cache(maxsize=1024)
def _fingerprint(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(SHA256())


class RevocationChecks:
    """One a process; safe to be used from many threads."""

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        away: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """`away` is entered while a thread waits for an issuer: it computes nothing then."""
        self._fetcher = fetcher
        self._clock = clock
        self._away = away
        self._answers: OrderedDict[Question, _Kept] = OrderedDict()
        self._good: OrderedDict[_Judged, datetime] = OrderedDict()
        self._asking: dict[Question, threading.Lock] = {}
        self._lock = threading.Lock()

    def require(
        self,
        certificates: Sequence[x509.Certificate],
        *,
        anchors: Sequence[x509.Certificate],
        pinned: bool,
        strictness: Strictness,
    ) -> None:
        """Returns if none of the certificates, a leaf and those above it, is revoked.

        Anchors are not looked up: whoever trusts them takes them out by hand. A pinned
        certificate need not name a list; one that only chains must.

        Raises:
            SecurityRefused: one is, or that cannot be found out.
        """
        if strictness == "off":
            return
        for certificate in certificates:
            if certificate in anchors:
                continue
            reason = self._doubt(certificate, (*certificates, *anchors), pinned=pinned)
            if reason is None:
                continue
            if strictness == "required":
                raise SecurityRefused(f"whether the certificate was revoked is unknown: {reason}")
            log.warning("whether a certificate was revoked is unknown: %s", reason)

    def _doubt(
        self, certificate: x509.Certificate, issuers: Sequence[x509.Certificate], *, pinned: bool
    ) -> str | None:
        """Why it is not known to be good.

        Raises:
            SecurityRefused: it is known to be revoked.
        """
        key = (_fingerprint(certificate), pinned)
        known = self._good.get(key)
        if known is not None and known > self._clock():
            return None
        answers: dict[Question, Answer] = {}
        while True:
            match decide(certificate, issuers, answers, now=self._clock()):
                case Needs(question=question):
                    answers[question] = self.ask(question)
                case Good(until=until):
                    if until is None and not pinned:
                        return "it names no list in which that could be seen"
                    again = self._clock() + _LONGEST
                    again = min(until or again, again)
                    self._keep(key, again)
                    self.keep(answers, until=again)
                    return None
                case Revoked():
                    raise SecurityRefused("the certificate was revoked")
                case Undecided(reason=reason):
                    return reason
                case never:
                    assert_never(never)

    def _keep(self, judged: _Judged, again: datetime) -> None:
        with self._lock:
            self._good[judged] = again
            while len(self._good) > _MOST_CERTIFICATES:
                self._good.popitem(last=False)

    def keep(self, answers: Answers, *, until: datetime) -> None:
        """What has decided is good for other certificates of the issuer too, for half a day at
        the longest."""
        again = min(until, self._clock() + _LONGEST)
        with self._lock:
            for question, content in answers.items():
                if isinstance(content, bytes):
                    self._answers[question] = _Kept(content, again)
            size = sum(_size(one) for one in self._answers.values())
            while size > _MOST_BYTES:
                _, dropped = self._answers.popitem(last=False)
                size -= _size(dropped)

    def ask(self, question: Question) -> Answer:
        """The answer, fetched by one thread for all that want it.

        One that cannot be had anew stands until it is out of date, which `decide` sees.
        """
        with self._lock:
            asking = self._asking.setdefault(question, threading.Lock())
        # Given back before the next turn is waited for: whoever has one may wait for this.
        with self._away(), asking:
            kept = self._answers.get(question)
            if kept is not None and kept.again > self._clock():
                return kept.content
            try:
                content: Answer = self._fetcher.fetch(question.url, question.body, _OCSP_TYPE)
            except FetchFailed as failure:
                log.warning("a revocation list or responder cannot be had: %s", failure)
                content = _without(failure, kept)
            with self._lock:
                self._answers[question] = _Kept(content, self._clock() + _AGAIN)
            return content


def _without(failure: FetchFailed, kept: _Kept | None) -> Answer:
    """What there is instead: what was had before, else what is known of why there is nothing."""
    if kept is not None and isinstance(kept.content, bytes):
        return kept.content
    return NotThere(failure.status) if failure.status in _NOT_THERE else None


def _size(kept: _Kept) -> int:
    return len(kept.content) if isinstance(kept.content, bytes) else 0
