"""Anchors count for their domain and direction alone; a bundle has one current version."""

from direct.bundle import Bundle
from direct.trust import Strictness, TrustAnchor
from gateway.model.direct_anchors import DirectAnchor, DirectBundle, Direction, Reach
from gateway.store import direct_anchors
from gateway.store.database import Database
from tests.certificates import NOW
from tests.direct_certificates import MailAuthority
from tests.issuers import HOUR

ONE = MailAuthority("One", NOW).certificate
TWO = MailAuthority("Two", NOW).certificate
THREE = MailAuthority("Three", NOW).certificate
SIGNER = MailAuthority("Signers", NOW).leaf("bundles@publisher.example").certificate
LAX = Strictness("when_reachable", "accept")


def trusted(house: Database, domain: str, direction: Direction) -> list[TrustAnchor]:
    return house.read(lambda tx: direct_anchors.trusted(tx, domain=domain, direction=direction))


def put(house: Database, anchor: DirectAnchor) -> None:
    house.write(lambda tx: direct_anchors.put_anchor(tx, anchor, now=NOW))


def add(house: Database, *anchors: object, state: str = "current") -> int:
    bundle = Bundle(anchors, None, SIGNER, 0)  # type: ignore[arg-type]
    return house.write(
        lambda tx: direct_anchors.add_version(
            tx,
            "acc",
            b"content",
            bundle,
            state=state,
            reason="because",
            now=NOW,  # type: ignore[arg-type]
        )
    )


def test_incoming_and_outgoing_stand_apart_and_so_do_domains(house: Database) -> None:
    put(house, DirectAnchor(ONE, Reach("a.example", outgoing=False)))
    put(house, DirectAnchor(TWO, Reach("a.example", incoming=False), LAX))
    put(house, DirectAnchor(THREE))
    found = trusted(house, "A.example", "incoming")
    assert {one.certificate for one in found} == {ONE, THREE}
    found = trusted(house, "a.example", "outgoing")
    assert {one.certificate for one in found} == {TWO, THREE}
    assert {one.strictness for one in found} == {None, LAX}
    assert {one.source for one in found} == {"by hand"}
    assert [one.certificate for one in trusted(house, "b.example", "incoming")] == [THREE]
    assert [one.certificate for one in trusted(house, "x.a.example", "incoming")] == [THREE]


def test_an_anchor_is_listed_changed_and_removed(house: Database) -> None:
    anchor = DirectAnchor(ONE, Reach("a.example"))
    put(house, anchor)
    changed = DirectAnchor(ONE, Reach("a.example", outgoing=False), LAX)
    put(house, changed)
    put(house, DirectAnchor(ONE))
    assert house.read(direct_anchors.list_anchors) == (DirectAnchor(ONE), changed)
    assert house.write(lambda tx: direct_anchors.remove_anchor(tx, changed))
    assert not house.write(lambda tx: direct_anchors.remove_anchor(tx, changed))
    assert house.read(direct_anchors.list_anchors) == (DirectAnchor(ONE),)


BUNDLE = DirectBundle("acc", "https://b.example/acc.p7b", Reach("a.example", outgoing=False))


def test_a_bundle_gives_the_anchors_of_its_current_version(house: Database) -> None:
    house.write(lambda tx: direct_anchors.put_bundle(tx, BUNDLE))
    assert trusted(house, "a.example", "incoming") == []
    assert add(house, ONE, TWO) == 1
    assert add(house, THREE, state="held") == 2
    assert trusted(house, "a.example", "incoming") == [
        TrustAnchor(ONE, "acc"),
        TrustAnchor(TWO, "acc"),
    ]
    assert trusted(house, "a.example", "outgoing") == []
    assert trusted(house, "b.example", "incoming") == []
    assert add(house, TWO) == 3
    assert [one.certificate for one in trusted(house, "a.example", "incoming")] == [TWO]
    versions = house.read(lambda tx: direct_anchors.versions(tx, "acc"))
    assert [(one.number, one.state) for one in versions] == [
        (3, "current"),
        (2, "past"),
        (1, "past"),
    ]
    assert versions[2].anchors == (ONE, TWO)
    assert (versions[0].signer, versions[0].content) == (SIGNER, b"content")


def test_a_version_that_is_made_current_again_is_the_only_one(house: Database) -> None:
    house.write(lambda tx: direct_anchors.put_bundle(tx, BUNDLE))
    add(house, ONE)
    add(house, TWO)
    first = house.read(lambda tx: direct_anchors.versions(tx, "acc"))[1]
    house.write(lambda tx: direct_anchors.set_state(tx, first, "current", now=NOW + HOUR))
    assert [one.certificate for one in trusted(house, "a.example", "incoming")] == [ONE]
    (current,) = house.read(lambda tx: direct_anchors.versions(tx, "acc", state="current"))
    assert (current.number, current.decided) == (1, NOW + HOUR)


def test_a_bundle_is_changed_without_losing_its_versions_and_removed_with_them(
    house: Database,
) -> None:
    house.write(lambda tx: direct_anchors.put_bundle(tx, BUNDLE))
    add(house, ONE)
    house.write(lambda tx: direct_anchors.note_check(tx, "acc", now=NOW))
    house.write(lambda tx: direct_anchors.note_check(tx, "acc", now=NOW + HOUR, failure="gone"))
    changed = DirectBundle("acc", BUNDLE.url, Reach(), SIGNER, LAX, "any", 3600)
    house.write(lambda tx: direct_anchors.put_bundle(tx, changed))
    (found,) = house.read(direct_anchors.list_bundles)
    assert (found.signer, found.strictness, found.hold) == (SIGNER, LAX, "any")
    assert (found.checked, found.failure, found.every_seconds) == (NOW, "gone", 3600)
    assert trusted(house, "b.example", "outgoing") == [TrustAnchor(ONE, "acc", LAX)]
    house.write(lambda tx: direct_anchors.pin_signer(tx, "acc", None))
    now = house.read(lambda tx: direct_anchors.get_bundle(tx, "acc"))
    assert now is not None
    assert now.signer is None
    assert house.write(lambda tx: direct_anchors.remove_bundle(tx, "acc"))
    assert not house.write(lambda tx: direct_anchors.remove_bundle(tx, "acc"))
    assert trusted(house, "b.example", "outgoing") == []
    assert house.read(lambda tx: direct_anchors.versions(tx, "acc")) == ()
