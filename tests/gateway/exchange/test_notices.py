"""The monitor: states go on, never back; a failure that was reported stands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from gateway.exchange.notices import REPORTED, Clocks, expire, hand_over, hear, refuse
from gateway.model.sent_mail import (
    RECIPIENT_STATES,
    Effect,
    Notice,
    NoticeForm,
    NoticeKind,
    Recipient,
    RecipientState,
)

NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOCKS = Clocks(processed=HOUR, dispatched=24 * HOUR)
QUEUED = Recipient("anne@direct.clinic.test")
SENT = hand_over(QUEUED, now=NOW, clocks=CLOCKS)


def said(
    recipient: Recipient,
    kind: NoticeKind,
    *,
    form: NoticeForm = "MDN",
    after: timedelta = HOUR / 2,
    wants_dispatched: bool = False,
    text: str | None = None,
) -> tuple[Recipient, Effect]:
    notice = Notice(kind, form, NOW + after, text)
    return hear(recipient, notice, wants_dispatched=wants_dispatched, clocks=CLOCKS)


def test_what_was_handed_over_waits_for_processed() -> None:
    assert (SENT.state, SENT.since, SENT.deadline) == ("handed_over", NOW, NOW + HOUR)
    notice_of_ours = hand_over(QUEUED, now=NOW, clocks=CLOCKS, wants_processed=False)
    assert notice_of_ours.deadline is None


def test_processed_ends_the_wait_unless_dispatched_was_asked_for() -> None:
    moved, effect = said(SENT, "processed")
    assert (moved.state, moved.deadline, effect) == ("processed", None, "moved")
    waits, _ = said(SENT, "processed", wants_dispatched=True)
    assert waits.deadline == NOW + HOUR / 2 + 24 * HOUR
    done, effect = said(waits, "dispatched", after=2 * HOUR, wants_dispatched=True)
    assert (done.state, done.deadline, effect) == ("dispatched", None, "moved")


def test_dispatched_without_processed_is_taken_for_both() -> None:
    done, _ = said(SENT, "dispatched", wants_dispatched=True)
    assert done.state == "dispatched"
    again, effect = said(done, "processed", wants_dispatched=True)
    assert (again, effect) == (done, "duplicate")


def test_time_over_fails_the_recipient_and_names_what_is_missing() -> None:
    assert expire(SENT, now=NOW + HOUR - timedelta(seconds=1)) == SENT
    over = expire(SENT, now=NOW + HOUR)
    assert over.state == "timed_out"
    assert over.reason == "no processed notification came in time"
    waits, _ = said(SENT, "processed", wants_dispatched=True)
    over = expire(waits, now=NOW + 48 * HOUR)
    assert over.reason == "no dispatched notification came in time"


@pytest.mark.parametrize("state", sorted(REPORTED))
@pytest.mark.parametrize("kind", ["processed", "dispatched"])
def test_a_late_success_never_undoes_a_failure_we_reported(
    state: RecipientState, kind: NoticeKind
) -> None:
    reported = replace(SENT, state=state, deadline=None, reason="told so")
    assert said(reported, kind, after=5 * HOUR) == (reported, "late")


def test_a_failure_after_processed_still_fails() -> None:
    moved, _ = said(SENT, "processed")
    failed, effect = said(moved, "failed", after=2 * HOUR, text="mailbox is gone")
    assert (failed.state, failed.reason, effect) == ("failed", "mailbox is gone", "moved")
    bounced, _ = said(SENT, "failed", form="DSN")
    assert (bounced.state, bounced.reason) == ("bounced", "a DSN says that it was not delivered")


def test_a_failure_after_final_delivery_is_shown_as_a_contradiction() -> None:
    done, _ = said(SENT, "dispatched")
    assert said(done, "failed") == (done, "contradicts")


def test_a_delay_moves_nothing() -> None:
    assert said(SENT, "delayed", form="DSN") == (SENT, "noted")


def test_a_notice_that_overtakes_our_own_commit_counts() -> None:
    moved, effect = said(QUEUED, "processed")
    assert (moved.state, effect) == ("processed", "moved")
    assert hand_over(moved, now=NOW + HOUR, clocks=CLOCKS) == moved
    assert refuse(moved, "their server refused", now=NOW + HOUR) == moved


def test_no_notice_moves_any_state_back() -> None:
    order = ["queued", "handed_over", "processed", "dispatched"]
    kinds: tuple[NoticeKind, ...] = get_args(NoticeKind)
    forms: tuple[NoticeForm, ...] = get_args(NoticeForm)
    for state, kind, form, wants in product(RECIPIENT_STATES, kinds, forms, (True, False)):
        before = replace(SENT, state=state)
        after, _ = said(before, kind, form=form, wants_dispatched=wants)
        if state in REPORTED:
            assert after == before
        elif after.state in order:
            assert order.index(after.state) >= order.index(state)
        twice, effect = said(after, kind, form=form, wants_dispatched=wants)
        assert twice == after
        assert effect != "moved"
