"""Rules that send a member's summary to an address whenever it says something new.

A rule is looked at now and then; what it has sent is remembered by the moment at which the summary
was made, in the transaction that queues the message, so that a crash neither loses nor doubles it.
What may not be sent is tried again at each look, for a person may mend it; each reason is recorded
once, not every minute.
"""

from dataclasses import dataclass
from uuid import uuid4

from gateway.exchange.direct_means import DirectMeans
from gateway.exchange.mail_delivering import TRANSACTION, enqueue_message
from gateway.exchange.mail_posting import NotSent, Order, prepare
from gateway.model.exchange import Exchange
from gateway.model.identity import MailId, PlanId
from gateway.model.member import Member, Plan
from gateway.model.sent_mail import SentMail
from gateway.settings_mail_out import Forward
from gateway.store import clinical, exchange_log, mail_received, mail_sent, members
from gateway.store.database import Transaction


def schedule_name(rule: str) -> str:
    """By which the rule's schedule is set and ended."""
    return f"forward {rule}"


@dataclass(frozen=True, slots=True)
class _New:
    """A member's summary that this rule has not sent yet; `key` is what says so."""

    member: Member
    key: str


async def forward_summaries(means: DirectMeans, plan_id: PlanId, rule_name: str) -> None:
    """Sends what is new of the rule's members; a rule that is gone is not looked at again."""
    rule = next((one for one in means.forwards if one.name == rule_name), None)
    plan = means.plan(plan_id)
    if rule is None or plan is None or rule.plan != plan.id:
        name = schedule_name(rule_name)
        await means.archive.database.write_async(lambda tx: means.queue.unschedule(tx, name=name))
        return
    for number in rule.members:
        new = await means.archive.database.read_async(
            lambda tx, one=number: _new(tx, plan, rule, one)  # type: ignore[misc]
        )
        if new is not None:
            await _forward(means, plan, rule, new)


def _new(transaction: Transaction, plan: Plan, rule: Forward, number: str) -> _New | None:
    member = members.get_by_member_id(transaction, plan=plan.id, member_id=number)
    form = (
        None
        if member is None
        else clinical.load_summary(transaction, plan=plan.id, member=member.id)
    )
    if member is None or form is None:
        return None
    key = f"forward {rule.name} {rule.to.lower()} {member.id} {form['as_of']}"
    known = mail_sent.claimed(transaction, plan=plan.id, key=key)
    return None if known is not None else _New(member, key)


async def _forward(means: DirectMeans, plan: Plan, rule: Forward, new: _New) -> None:
    now = means.clock()
    order = Order(
        sender=rule.sender,
        to=(rule.to,),
        purpose=rule.purpose,
        person=rule.requester,
        authority=rule.authority,
        member=new.member.id,
        summary=True,
        package=rule.package,
    )
    message: SentMail | None = None
    reason: str | None = None
    try:
        message = await prepare(means, plan, order, now=now)
    except NotSent as refused:
        reason = str(refused)

    def unit(transaction: Transaction) -> None:
        mine = MailId(str(uuid4())) if message is None else message.id
        key = new.key if message is not None else f"{new.key} refused: {reason}"
        owner = mail_received.claim(transaction, plan=plan.id, key=key, message=mine)
        if owner != mine:
            return  # another worker was quicker, or this was said before
        if message is not None:
            enqueue_message(transaction, means.queue, message)
            return
        exchange_log.append(
            transaction,
            Exchange(
                time=now,
                direction="out",
                transaction=TRANSACTION,
                outcome="refused",
                plan=plan.id,
                person=rule.requester,
                purpose=rule.purpose,
                member=new.member.id,
                peer=rule.to,
                reason=f"rule {rule.name}: {reason}",
            ),
        )

    await means.archive.database.write_async(unit)
