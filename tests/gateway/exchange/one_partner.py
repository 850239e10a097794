"""A retrieval at one partner that lists and gives what a test says, and what became of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.app.house import House
from gateway.model.exchange import Exchange
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import PartnerProgress
from ihe.identifiers import UniqueId
from ihe.registry_response import ErrorCode, RegistryError, ResponseStatus, Severity
from ihe.xca_query import AdhocQueryResponse
from tests.gateway import house as lakeshore
from tests.gateway.clients.asking_house import (
    asking_house,
    assert_sound,
    calls,
    retrieve,
)
from tests.gateway.clients.scripted_partner import (
    DOCUMENTS,
    NAME,
    Answer,
    Reply,
    listed,
    retrieved,
    scripted,
)

FIRST, SECOND = DOCUMENTS
CCD = lakeshore.demo_document("northfield_ccd.xml")
DISCHARGE = lakeshore.demo_document("northfield_discharge_summary.xml")


class Asked:
    """The one partner's row, the house, and the records of the calls."""

    def __init__(self, house: House, row: PartnerProgress, heard: list[str]) -> None:
        self.house, self.row, self.heard = house, row, heard

    @property
    def counts(self) -> tuple[int, int, int]:
        row = self.row
        return row.documents_found, row.documents_new, row.documents_missing

    @property
    def states(self) -> list[str]:
        return [one.state for one in lakeshore.documents(self.house)]

    @property
    def last(self) -> Exchange:
        return calls(self.house)[-1]


@contextmanager
def asked(
    tmp_path: Path, *, profile: PartnerProfile | None = None, **answers: Answer
) -> Iterator[Asked]:
    with (
        scripted(profile=profile, **answers) as script,
        asking_house(tmp_path, [script.partner]) as house,
    ):
        rows = retrieve(house)
        assert_sound(house)
        yield Asked(house, rows[NAME], script.heard)


def listing(
    *entries: object, status: ResponseStatus = ResponseStatus.SUCCESS, **more: object
) -> Answer:
    response = AdhocQueryResponse(status, entries=entries, **more)  # type: ignore[arg-type]
    return lambda heard: Reply(listed(heard, response))


def giving(contents: dict[UniqueId, bytes], **changes: object) -> Answer:
    return lambda heard: retrieved(heard, contents, **changes)  # type: ignore[arg-type]


def an_error(code: ErrorCode | str, severity: Severity = Severity.ERROR) -> RegistryError:
    return RegistryError(code, "Rosalind Sampleton is not known here", severity)
