"""What a command gives for reading and printing: a page, a PDF, into a file or to the terminal."""

import os
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import typer

from ccda.html.summary import write_summary
from gateway.app.house import House
from gateway.cli.terminal import Exit, Failure
from gateway.exchange.summary_pdf import write_pdf
from gateway.exchange.summary_views import read_sheet
from gateway.exchange.typeset import NOT_INSTALLED, is_installed
from gateway.exchange.workers import WorkerFailed
from gateway.model.member import Member


def check_pdf(output: Path | None) -> None:
    """That a PDF can be made, and that there is a place for its bytes.

    Raises:
        Failure: there is no typst, or nothing but a terminal.
    """
    if not is_installed():
        raise Failure(NOT_INSTALLED)
    if output is None and sys.stdout.isatty():
        raise Failure("a PDF is no text: name a file with --output", Exit.USAGE)


def for_people(house: House, member: Member, form: str, now: datetime) -> str | bytes:
    """The member's summary as a page of HTML or as a PDF, made in a worker process."""
    sheet = house.database.read(lambda tx: read_sheet(tx, member=member, now=now))
    workers = house.archive.workers
    try:
        if form == "html":
            return workers.run(write_summary, sheet)
        return workers.run(write_pdf, sheet, author=house.community.organization, now=now)
    except WorkerFailed as failure:
        raise Failure(f"the summary could not be laid out: {failure}") from None


def put(content: str | bytes, output: Path | None) -> None:
    """Into the file, or to the terminal as a text with its last line ended."""
    if output is None:
        typer.echo(content, nl=isinstance(content, str))
        return
    put_pieces([content if isinstance(content, bytes) else f"{content}\n".encode()], output)


def put_pieces(pieces: Iterable[bytes], output: Path | None) -> None:
    """Into the file, or to the terminal, as they come: all of it is never held."""
    try:
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        with open(output, "wb", opener=_for_the_user_alone) as file:
            for piece in pieces:
                file.write(piece)
    except OSError as error:
        where = "the output" if output is None else output
        raise Failure(f"{where} cannot be written: {error.strerror}") from None


def _for_the_user_alone(file: str, flags: int) -> int:
    """A new file is: its content is somebody's record. One that is there stays whose it is."""
    return os.open(file, flags, 0o600)
