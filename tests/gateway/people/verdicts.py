"""What the matcher makes of the questions of `plants`, counted by kind."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain

from gateway.exchange.matching import Ambiguous, BestMatch, Found, NotFound
from gateway.model.identity import MemberId
from ihe.xcpd import Demographics
from tests.gateway.people.plants import PLANTS, Question, questions
from tests.gateway.people.population import Enrolled


@dataclass(slots=True)
class Count:
    """Questions of one kind. `answerable` are those whose facts could say who is meant.

    `held` are left to a reviewer with the right member among the candidates (or, where nobody is
    meant, with anybody); `missed` are answered with nobody though somebody is meant.
    """

    asked: int = 0
    answerable: int = 0
    linked: int = 0
    linked_answerable: int = 0
    held: int = 0
    missed: int = 0
    false: int = 0
    wrong: list[tuple[Question, MemberId]] = field(default_factory=list)
    """The false ones, and who was linked."""

    @property
    def recall(self) -> float | None:
        """The share of the answerable that was linked."""
        return self.linked_answerable / self.answerable if self.answerable else None


def count_all(
    asked_about: Iterable[Enrolled], find: Callable[[Demographics], BestMatch], *, seed: int = 1
) -> dict[str, Count]:
    """Every kind of question about each of those members, put to `find`."""
    counts = {plant.kind: Count() for plant in PLANTS}
    for question in chain.from_iterable(questions(one, seed) for one in asked_about):
        _count(counts[question.kind], question, find(question.demographics))
    return counts


def total(counts: Iterable[Count]) -> Count:
    """All kinds together."""
    whole = Count()
    for one in counts:
        for name in (
            "asked",
            "answerable",
            "linked",
            "linked_answerable",
            "held",
            "missed",
            "false",
        ):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        whole.wrong += one.wrong
    return whole


def _count(count: Count, question: Question, answer: BestMatch) -> None:
    meant = question.meant.person.id if question.meant else None
    count.asked += 1
    count.answerable += question.answerable
    match answer:
        case Found(member=found) if found == meant:
            count.linked += 1
            count.linked_answerable += question.answerable
        case Found():
            count.false += 1
            count.wrong.append((question, found))
        case Ambiguous(candidates=near) | NotFound(possible=near):
            held = any(meant in (None, member) for member, _ in near)
            count.held += held
            count.missed += not held and meant is not None
