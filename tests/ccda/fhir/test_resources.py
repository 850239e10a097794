"""The ids of resources: name-based UUIDs, the same for the same names."""

from uuid import UUID, uuid5

import pytest

from ccda.fhir.resources import resource_id


@pytest.mark.parametrize("key", ["one", "one /*/*[2]", "\u00e9\U0001f600", ""])
def test_an_id_is_a_uuid5(key: str) -> None:
    namespace = UUID("6e5c7c4e-9d0b-5f0e-8a53-0c5d6b9f2a11")
    assert resource_id("Condition", key) == str(uuid5(namespace, f"Condition {key}"))
