"""`python feed.py NAME`: one reader in a process of its own, fed with one document at a time.

A line on standard input is the path of a document; the answer is a line of JSON with the seconds
that reading it took, and the type of the exception it ended in. The file imports nothing of the
project, since it also runs where other software is installed.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

Read = Callable[[bytes], object]


def _lxml() -> Read:
    from lxml import etree

    return etree.fromstring


def _parse() -> Read:
    from ccda import parse_document

    return parse_document


def _fhir() -> Read:
    from ccda.fhir import document_bundle, fhir_json

    from ccda import parse_document

    return lambda xml: fhir_json(document_bundle(parse_document(xml), document_id="bench"))


def _python_fhir_converter() -> Read:
    from fhir_converter.renderers import CcdaRenderer

    renderer = CcdaRenderer()
    return lambda xml: renderer.render_fhir_string("CCD", xml)


def _ccda_to_fhir() -> Read:
    from ccda_to_fhir import convert_document

    # Its diary on standard error is not what is measured.
    logging.disable(logging.CRITICAL)
    return lambda xml: convert_document(xml.decode())


_READERS = {
    "lxml": _lxml,
    "parse": _parse,
    "fhir": _fhir,
    "python-fhir-converter": _python_fhir_converter,
    "ccda-to-fhir": _ccda_to_fhir,
}


def main() -> None:
    read = _READERS[sys.argv[1]]()
    answers = sys.stdout
    # A library that prints would garble the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        content = Path(line.rstrip("\n")).read_bytes()
        error = None
        started = time.perf_counter()
        try:
            read(content)
        except Exception as problem:
            error = type(problem).__name__
        seconds = time.perf_counter() - started
        answers.write(json.dumps({"seconds": seconds, "error": error}) + "\n")
        answers.flush()


main()
