"""`gateway audit checkpoint|key|prove|verifier`: what an auditor takes away to check elsewhere."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from gateway.app.house import House, log_seal
from gateway.cli.opening import ConfigOption, opened
from gateway.cli.recording import record_look, refusal
from gateway.cli.terminal import Failure
from gateway.exchange.checkpoints import make_checkpoint
from gateway.model.checkpoint import Checkpoint, InvalidCheckpoint, LogKey, read_checkpoint
from gateway.model.merkle import inclusion_path, root_of
from gateway.store import exchange_chain
from gateway.store.transaction import Transaction

_ACT: Final = "CLI-PROOF"
CheckpointOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--checkpoint",
        help="A checkpoint that was published; repeat it for several.",
        metavar="FILE",
    ),
]
KeyOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        help="The log's key as an auditor keeps it, instead of ours; repeat it if the log was"
        " signed by several in turn.",
        metavar="FILE",
    ),
]


def make(config: ConfigOption = None) -> None:
    """Sign the log as it is now, and print the checkpoint."""
    with opened(config) as house:
        seal = log_seal(house.settings)
        made = house.database.write(lambda tx: make_checkpoint(tx, seal, now=datetime.now(UTC)))
    if made is None:
        raise Failure("the log is empty: there is nothing to sign")
    typer.echo(made.note, nl=False)


def show_key(config: ConfigOption = None) -> None:
    """Print the key that checks our checkpoints; an auditor keeps it from the first day."""
    with opened(config) as house:
        typer.echo(log_seal(house.settings).public.text)


def print_verifier() -> None:
    """Print the program that checks a proof: one file that needs Python and nothing else."""
    typer.echo(files("gateway.cli").joinpath("verify_proof.py").read_text("utf-8"), nl=False)


def prove(
    sequence: Annotated[int, typer.Argument(help="The record's number.", min=1, max=2**63 - 1)],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint", help="Prove it in this one; else in one made now.", metavar="FILE"
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print a proof that a record stands in the log, word for word, as a checkpoint signed it."""
    with opened(config) as house:
        seal = log_seal(house.settings)
        if checkpoint is None:
            made = house.database.write(lambda tx: make_checkpoint(tx, seal, now=datetime.now(UTC)))
            note = made.note if made else ""
        else:
            note = _read(checkpoint)
        signed = _checked(note, seal.public) if note else None
        size = signed.size if signed else 0
        if signed is None or sequence > size:
            reason = f"the checkpoint is of {size} records: {sequence} is not among them"
            raise refusal(house, _ACT, plan=None, reason=reason)
        found = house.database.read(lambda tx: _path(tx, sequence, signed))
        if isinstance(found, str):
            raise refusal(
                house, _ACT, plan=None, reason=found, advice="; see `gateway audit verify`"
            )
        canon, path = found
        record_look(house, _ACT, plan=None, reason=f"record {sequence}")
    form = {"sequence": sequence, "record": canon, "path": path, "checkpoint": note}
    typer.echo(orjson.dumps(form, option=orjson.OPT_INDENT_2).decode())


def log_keys(paths: list[Path] | None, house: House) -> tuple[LogKey, ...]:
    """The keys by which the log is signed: those of the files, or ours if there are none.

    Raises:
        Failure: one is no key of a log.
    """
    if not paths:
        return (log_seal(house.settings).public,)
    try:
        return tuple(LogKey.parse(_read(path)) for path in paths)
    except InvalidCheckpoint as reason:
        raise Failure(str(reason)) from None


def outside_checkpoints(
    paths: list[Path] | None, keys: Sequence[LogKey]
) -> list[tuple[Checkpoint, Path]]:
    """The checkpoints that somebody kept elsewhere, each with its file, the smallest first.

    Two may be of one size: who signs two logs gives each to another.

    Raises:
        Failure: one is not readable, or not signed by any of the keys.
    """
    found = [(_checked_by(_read(path), keys), path) for path in paths or ()]
    return sorted(found, key=lambda one: one[0].size)


def _path(
    transaction: Transaction, sequence: int, signed: Checkpoint
) -> tuple[str, list[str]] | str:
    """The record and what leads from it to the root that was signed, or why nothing does."""
    leaves = list(exchange_chain.leaves(transaction, after=0, until=signed.size))
    if len(leaves) < signed.size:
        return f"the log has {len(leaves)} records, the checkpoint {signed.size}"
    if root_of(leaves) != signed.root:
        # A path would be made all the same, and lead nowhere.
        return f"the first {signed.size} records are not those that the checkpoint was signed over"
    canon = exchange_chain.canon_of(transaction, sequence)
    return canon, [node.hex() for node in inclusion_path(leaves, sequence - 1)]


def _checked_by(note: str, keys: Sequence[LogKey]) -> Checkpoint:
    """By the one that has signed it; whatever is wrong is said of the last."""
    for key in keys[:-1]:
        with suppress(InvalidCheckpoint):
            return read_checkpoint(note, key)
    return _checked(note, keys[-1])


def _checked(note: str, key: LogKey) -> Checkpoint:
    try:
        return read_checkpoint(note, key)
    except InvalidCheckpoint as reason:
        raise Failure(str(reason)) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Failure(f"{path} cannot be read") from None
