"""What can be wrong with a Direct message, as exceptions that know which notice they allow.

Texts are written by us and name rules, never content.
"""

from typing import Literal

Disposition = Literal["processed", "dispatched", "failed"]


class DirectError(Exception):
    """A Direct message cannot be taken; `disposition` is the notice it allows, None for none."""

    disposition: Disposition | None = None

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
