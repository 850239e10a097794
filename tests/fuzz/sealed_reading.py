"""`python -m tests.fuzz.sealed_reading`: reads documents where the kernel allows only computing.

Documents come in as a pickled list on stdin; what each came to goes out as JSON. Any file opened,
connection made or process started meanwhile ends the process with SIGSYS.
"""

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ccda import CcdaError, parse_document
from ccda.html import render_html
from ccda.json_form import document_json
from tests.fuzz.sealed import seal_process

ROOT: Final = Path(__file__).resolve().parents[2]


class Unsealed(Exception):
    """The kernel ended the process, or it broke: `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def read_sealed(documents: Sequence[bytes]) -> list[str]:
    """What reading each comes to: its JSON and its page, or the error's name."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.sealed_reading"],
        input=pickle.dumps(list(documents)),
        capture_output=True,
        cwd=ROOT,
    )
    if run.returncode != 0:
        raise Unsealed(run.returncode)
    answers: list[str] = json.loads(run.stdout)
    return answers


def outcome(document: bytes) -> str:
    try:
        return json.dumps(document_json(parse_document(document))) + render_html(document)
    except CcdaError as error:
        return type(error).__name__


def main() -> None:
    documents = pickle.load(sys.stdin.buffer)  # noqa: S301  # from our own parent
    seal_process()
    json.dump([outcome(document) for document in documents], sys.stdout)


if __name__ == "__main__":
    main()
