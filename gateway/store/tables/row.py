"""What all tables share: one metadata, and how constraints are named."""

from sqlmodel import SQLModel

METADATA = SQLModel.metadata
METADATA.naming_convention = {
    "ix": "%(table_name)s_by_%(column_0_N_name)s",
    "uq": "%(table_name)s_has_one_%(column_0_N_name)s",
    "fk": "%(table_name)s_names_%(column_0_N_name)s",
    "pk": "%(table_name)s_primary",
}


class Row(SQLModel):
    """A row; it never leaves store/."""
