"""`gateway parse`: what documents say, as JSON, one object a line. Touches no database."""

import hashlib
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from ccda import CcdaError, parse_document
from ccda.json_form import document_json
from gateway.cli.terminal import Exit, err

_STANDARD_INPUT: Final = Path("-")


def parse(
    files: Annotated[
        list[Path],
        typer.Argument(help="C-CDA documents, of any release or vendor; - is the standard input."),
    ],
) -> None:
    """Print what each document says: one JSON object a document, one a line.

    A file that cannot be read as a clinical document prints its reason under "error", and the
    command ends with 3, or with 1 when no file could be read.

    For example: gateway parse inbox/*.xml > parsed.jsonl
    """
    failed = 0
    for file in files:
        form = _parse_file(file)
        failed += "error" in form
        sys.stdout.buffer.write(orjson.dumps(form, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
    if failed:
        raise typer.Exit(int(Exit.FAILED if failed == len(files) else Exit.PARTLY))


def _parse_file(file: Path) -> dict[str, Any]:
    try:
        xml = sys.stdin.buffer.read() if file == _STANDARD_INPUT else file.read_bytes()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        if file.is_dir():
            reason = f"is a folder: name the files in it, as {file}/*.xml"
        err.print(f"gateway: {file}: {reason}")
        return {"file": str(file), "sha256": None, "error": reason}
    form: dict[str, Any] = {"file": str(file), "sha256": hashlib.sha256(xml).hexdigest()}
    try:
        return {**form, **document_json(parse_document(xml))}
    except CcdaError as error:
        err.print(f"gateway: {file}: {error}")
        return {**form, "error": str(error)}
