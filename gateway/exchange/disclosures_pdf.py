"""An accounting of disclosures as a PDF to hand to the member, set by typst."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from gateway.exchange.disclosures import exclusions
from gateway.exchange.summarize import member_json
from gateway.exchange.typeset import typeset
from gateway.model.disclosure import Accounting, Disclosure

_TEMPLATE: Final = Path(__file__).with_name("disclosures.typ")
_COLUMNS: Final = ("Date", "To whom", "What", "Why", "Record")


def write_accounting_pdf(
    account: Accounting, *, everything: bool, author: str, now: datetime
) -> bytes:
    """The accounting as PDF; with `everything` also each excluded exchange."""
    form = _form(account, everything)
    return typeset(_TEMPLATE.read_bytes(), {"form": form, "author": author}, now=now)


def _form(account: Accounting, everything: bool) -> dict[str, Any]:
    known = member_json(account.member)
    facts = (("Name", "name"), ("Born", "birth_date"), ("Member number", "member_id"))
    return {
        "facts": [(name, str(known[key])) for name, key in facts if known[key]],
        "scope": f"What left this gateway from {account.since} to {account.until} (UTC), asked "
        f"for on {account.asked}.",
        "rules": account.rules,
        "columns": _COLUMNS,
        "listed": [_row(one) for one in account.listed],
        "exclusions": [
            (why.words, why.paragraph, str(number)) for why, number in exclusions(account)
        ],
        "excluded": [_row(one) for one in account.excluded] if everything else [],
    }


def _row(one: Disclosure) -> tuple[str, ...]:
    recipient = one.recipient
    told = (recipient.name, recipient.address, recipient.community)
    named = "; ".join(each.title or each.id for each in one.documents)
    unsure = "" if one.is_certain else " (nothing says that it arrived)"
    why = one.basis if one.exclusion is None else f"{one.basis} ({one.exclusion.words})"
    return (
        one.time.date().isoformat(),
        ", ".join(words for words in told if words),
        f"{one.what}: {named}{unsure}" if named else f"{one.what}{unsure}",
        why,
        str(one.sequence),
    )
