"""The acknowledgement of deferred messages."""

from dataclasses import replace

import pytest

from ccda.hl7v3 import II, TS, v3
from ihe.acknowledgement import (
    DEFERRAL_NOT_SUPPORTED,
    Acknowledgement,
    read_acknowledgement,
    write_acknowledgement,
)
from ihe.errors import MalformedMessage
from ihe.identifiers import HomeCommunityId, Oid
from tests.ihe_conformance import assert_valid_body

TAKEN = Acknowledgement(
    message_id=II("2.999.20.1", "a-1"),
    creation_time=TS("20260301091501+0000"),
    sender=HomeCommunityId(Oid("2.999.20")),
    receiver=HomeCommunityId(Oid("2.999.10")),
    request_id=II("2.999.10.1", "m-1"),
)


@pytest.mark.parametrize(
    "acknowledgement", [TAKEN, replace(TAKEN, accepted=False, problem=DEFERRAL_NOT_SUPPORTED)]
)
def test_an_acknowledgement_is_valid_and_reads_back_the_same(
    acknowledgement: Acknowledgement,
) -> None:
    written = write_acknowledgement(acknowledgement)
    assert_valid_body(written)
    assert read_acknowledgement(written) == acknowledgement


def test_an_accept_acknowledgement_counts_as_taken() -> None:
    written = write_acknowledgement(TAKEN)
    written.find(f"{v3('acknowledgement')}/{v3('typeCode')}").set("code", "CA")
    assert read_acknowledgement(written).accepted


def test_one_without_an_id_is_refused() -> None:
    written = write_acknowledgement(TAKEN)
    written.find(v3("id")).attrib.clear()
    with pytest.raises(MalformedMessage):
        read_acknowledgement(written)


def test_one_about_nothing_is_not_written() -> None:
    with pytest.raises(ValueError):
        write_acknowledgement(replace(TAKEN, request_id=None))
