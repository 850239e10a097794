"""`[audit]`: how often the exchange log is sealed by a checkpoint, and where they are published."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

KEY_NAME: Final = "checkpoint-key"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedTo(_Part):
    """A place outside for checkpoints: a folder that whoever runs the database cannot change."""

    folder: Path


class Audit(_Part):
    """A checkpoint is made once so many records have come, or so much time has gone by."""

    checkpoint_key: Path | None = None
    """An Ed25519 key, made if it is not there; beside the key-encryption key if none is named."""
    every_records: int = Field(default=1000, ge=1)
    every_seconds: float = Field(default=60.0, ge=1, allow_inf_nan=False)
    publish: tuple[PublishedTo, ...] = ()
