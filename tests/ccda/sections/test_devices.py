from collections.abc import Callable

from ccda.model import Entry

ReadEntries = Callable[..., tuple[Entry, ...]]
EntriesOf = Callable[[str], list[Entry]]


def test_a_device_is_its_own_code_and_the_procedure_a_detail(entries_of: EntriesOf) -> None:
    (pacemaker,) = entries_of("device")
    assert pacemaker.code is not None and pacemaker.code.display == "Cardiac pacemaker"
    assert pacemaker.details["procedure"]["code"] == "307280005"
    (device,) = pacemaker.details["device"]
    assert device["ids"] == ["2.16.840.1.113883.3.3719^(01)00643169007222"]
    assert device["manufacturer"] == "Beat Makers"


def test_a_supplied_product_is_a_device(read_entries: ReadEntries) -> None:
    (entry,) = read_entries(
        "46264-8",
        '<supply><product><manufacturedProduct><manufacturedMaterial><code code="1" '
        'displayName="Walker"/></manufacturedMaterial></manufacturedProduct></product></supply>',
    )
    assert entry.code is not None and entry.code.display == "Walker"
