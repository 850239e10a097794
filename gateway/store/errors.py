"""What can go wrong in the store.

    StoreError
    ├── StoreUnavailable      the database cannot be reached, is locked or closed: try later
    │   └── StoreFull         there is no room left where the database lies
    ├── NotPermitted          the database's role may not do that
    ├── UnknownId             no such row in this plan
    ├── ExchangeNotOpen       the exchange was closed before, here or by recovery
    ├── KeyFileMissing        the key-encryption key is not where the settings say
    ├── KeyFileUnusable       the key file is not one, or holds other keys than the data needs
    ├── UnknownBlob           no such bytes
    ├── DamagedBlob           stored bytes are cut, reordered or changed
    ├── DamagedWireMessage    a stored envelope is not the one that its record names
    ├── DamagedRecord         what a record seals does not open: it was changed
    ├── UnusableRole          a role of PostgreSQL by which the log would not be safe
    ├── MonthDisposed         the month's records were disposed of, and their key is gone
    └── DamagedVerdict        a message's stored verdict is not the one that was sealed for it

Texts name ids and paths, never content.
"""


class StoreError(Exception):
    """Anything the store refuses or cannot do."""


class StoreUnavailable(StoreError):
    """Nothing was written; the same may succeed later."""


class StoreFull(StoreUnavailable):
    """Nothing was written, and nothing will be until somebody makes room."""


class NotPermitted(StoreError):
    """Nothing was written: it is for the owner of the tables to do."""

    def __init__(self) -> None:
        super().__init__(
            "this role of the database may not do that; its owner may, see `gateway db upgrade`"
        )


class UnknownId(StoreError):
    """No row of that id belongs to that plan; another plan's row looks exactly the same."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"no {kind} with this id in this plan")
        self.kind = kind
        self.id = id


class ExchangeNotOpen(StoreError):
    """There is no open row to close, so nothing may take effect in its name."""

    def __init__(self, open_id: int) -> None:
        super().__init__("this exchange is not open")
        self.open_id = open_id


class KeyFileMissing(StoreError):
    """Without it nothing stored can be read; making a new one would not help."""


class KeyFileUnusable(StoreError):
    """The file is there, but does not open what was sealed."""


class UnknownBlob(StoreError):
    """No file of that address belongs to that plan."""


class DamagedBlob(StoreError):
    """The bytes on disk are not the ones we wrote; chunks already given out were genuine."""


class DamagedWireMessage(StoreError):
    """What was kept of an exchange is not what its record names by hash."""

    def __init__(self, hash: str) -> None:
        super().__init__(f"the stored envelope {hash} was changed")
        self.hash = hash


class DamagedRecord(StoreError):
    """What a record says of whom, and of which documents, is not what was sealed."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"record {sequence} was changed; see `gateway audit verify`")
        self.sequence = sequence


class MonthDisposed(StoreError):
    """Nothing is sealed any more under the key of that month, and nothing is opened."""

    def __init__(self, month: str) -> None:
        super().__init__(f"the log of {month} was disposed of")
        self.month = month


class UnusableRole(StoreError):
    """The role has no plain name, or could do more to the log than append."""


class DamagedVerdict(StoreError):
    """What was kept of a message's judgement was changed, or is another message's."""

    def __init__(self, message: str) -> None:
        super().__init__(f"the stored verdict of message {message} was changed")
        self.message = message
