"""What is wrong with a file of settings or of partners, in words for whoever wrote it."""

from typing import Final

from pydantic import ValidationError

_IN_WORDS: Final = {
    "extra_forbidden": "there is no such key",
    "unexpected_keyword_argument": "there is no such key",
    "missing": "it is required",
}


def in_words(error: ValidationError) -> str:
    """Key by key, without what was written there: it may be a password."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))}: "
        f"{_IN_WORDS.get(one['type'], one['msg'].removeprefix('Value error, '))}"
        for one in found
    )
