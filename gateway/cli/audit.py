"""`gateway audit`: the proof that the log was not altered, and what an auditor asks of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.cli.accounts import add_finding, disclosures, export, outflow
from gateway.cli.audit_repositories import retry, status
from gateway.cli.groups import group
from gateway.cli.holds import hold_app
from gateway.cli.opening import ConfigOption, JsonOption, opened
from gateway.cli.proofs import (
    CheckpointOption,
    KeyOption,
    log_keys,
    make,
    outside_checkpoints,
    print_verifier,
    prove,
    show_key,
)
from gateway.cli.retention import certificates, dispose_of, retention
from gateway.cli.terminal import Exit, out
from gateway.exchange.contents import read_contents
from gateway.model.checkpoint import Checkpoint
from gateway.store.evidence import Evidence, evidence
from gateway.store.exchange_indexes import damage
from gateway.store.guards import missing_guards, strange
from gateway.store.kept_checkpoints import verify_with_kept

audit_app = group("Proof that the exchange log is whole.")


audit_app.command("disclosures")(disclosures)
audit_app.command("export")(export)
audit_app.command("finding")(add_finding)
audit_app.command("outflow")(outflow)
audit_app.command("checkpoint")(make)
audit_app.command("key")(show_key)
audit_app.command("prove")(prove)
audit_app.command("verifier")(print_verifier)
audit_app.command("retention")(retention)
audit_app.command("dispose")(dispose_of)
audit_app.command("certificates")(certificates)
audit_app.add_typer(hold_app, name="hold")
audit_app.command("status")(status)
audit_app.command("retry")(retry)


@audit_app.command("verify")
def verify(
    checkpoint: CheckpointOption = None,
    key: KeyOption = None,
    contents: Annotated[
        bool,
        typer.Option(
            "--contents", help="Also open all that is kept; as long as it takes to read it."
        ),
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Recompute every record's hash; the first that does not fit is named, and the exit is 1.

    Also whether what the records name is still there: envelopes, mail and keys, but for what was
    disposed of by a certificate that the log's key has signed; and whether the database's triggers,
    which keep all that from being changed, stand as they were made, and its indexes have every
    record; and whether the checkpoints that are kept here are signed, and of this log. With some
    that were kept elsewhere, whether the log is what they signed.
    """
    with opened(config) as house:
        keys = log_keys(key, house)
        outside = outside_checkpoints(checkpoint, keys)
        sizes = [signed.size for signed, _ in outside]
        result, roots, unsigned = house.database.read(lambda tx: verify_with_kept(tx, sizes, keys))
        kept = Evidence((), 0)
        if result.reason is None:  # else nothing that the records name can be relied on
            kept = house.database.read(lambda tx: evidence(tx, keys))
            if contents and not kept.gone:
                kept = replace(kept, gone=tuple(read_contents(house.archive)))
        damaged = house.database.read(damage) if contents else None
        unguarded = house.database.read(missing_guards)
        others = house.database.read(strange)
    first_bad = result.first_bad
    reason = result.reason or _against(outside, roots, result.records)
    if reason is None and kept.gone:
        first_bad, reason = kept.gone[0].sequence, _in_words(kept)
    if reason is None and unsigned is not None:
        reason = f"it is whole, but {unsigned}"
    if reason is None and unguarded:
        reason = f"it is whole, and nothing keeps it so any more: no {', '.join(unguarded)}"
    if reason is None and others:
        reason = f"it is whole, and its tables are not as they were made: {', '.join(others)}"
    if reason is None and damaged is not None:
        reason = f"it is whole, and an index is not: {damaged}"
    form = {
        "records": result.records,
        "first_bad": first_bad,
        "reason": reason,
        "disposed": kept.disposed,
    }
    if json:
        typer.echo(orjson.dumps(form).decode())
    elif form["reason"] is None:
        out.print(f"{result.records} records checked; all are whole and in one chain")
        if kept.disposed:
            out.print(f"what {kept.disposed} of them name was disposed of, as the log says itself")
        for signed, path in outside:
            out.print(f"the first {signed.size} are those that {path} was signed over")
    elif result.first_bad is None:
        out.print(f"the log is not sound: {form['reason']}")
    else:
        out.print(f"record {result.first_bad} is not sound: {result.reason}")
        out.print(f"{result.records} records before it were")
    if form["reason"] is not None:
        raise typer.Exit(int(Exit.FAILED))


def _in_words(kept: Evidence) -> str:
    """What is gone beside a log that is sound in itself."""
    first, others = kept.gone[0], len(kept.gone) - 1
    place = "the log" if first.sequence is None else f"record {first.sequence}"
    how = "is not what was kept" if first.is_damaged else "is gone, and no disposal took it"
    more = f"; {others} more" if others else ""
    return f"{place} is whole, but what it names {how}: {first.what}{more}"


def _against(
    outside: Sequence[tuple[Checkpoint, Path]], roots: Mapping[int, bytes], records: int
) -> str | None:
    """What a checkpoint kept elsewhere says against a log that is sound in itself."""
    for signed, path in outside:
        size, more = signed.size, signed.size - records
        if more > 0:
            return f"{path} was signed over {size} records, {more} more than there are"
        if roots[size] != signed.root:
            return f"the first {size} records are not those that {path} was signed over"
    return None
