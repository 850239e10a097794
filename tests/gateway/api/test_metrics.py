"""What the gateway measures: each exchange once, what waits, who ails, and nobody's data."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from prometheus_client.parser import text_string_to_metric_families

from direct.bundle import Bundle
from gateway.api.applications import create_operations_application
from gateway.api.metrics import Meters, measured, meters
from gateway.app.house import House
from gateway.model.direct_anchors import DirectAnchor, DirectBundle, Reach
from gateway.model.exchange import Exchange
from gateway.model.identity import ConversationId, DocumentId, PartnerId, RetrievalId
from gateway.model.partner import PartnerProfile
from gateway.model.retrieval import PartnerProgress, Requester, Retrieval
from gateway.settings import Network
from gateway.store import (
    audit_feed,
    direct_anchors,
    direct_keys,
    exchange_log,
    partner_health,
    retrievals,
)
from tests.direct_certificates import MailAuthority
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.house import (
    MEMBER,
    PLAN,
    a_partner,
    authority,
    certificate_of,
    open_house,
    records,
)

PARTNER = a_partner(profile=PartnerProfile(charges_for=("PAYMENT",)))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path, known=[PARTNER]) as found:
        yield found


@pytest.fixture
def found(house: House) -> Meters:
    return meters(house.settings, house.database, house.queue, (PLAN,))


def told(house: House, **changes: Any) -> None:
    given: dict[str, Any] = {
        "time": datetime.now(UTC),
        "direction": "out",
        "transaction": "ITI-38",
        "outcome": "success",
        "plan": PLAN,
        "partner": PARTNER.id,
        "purpose": "PAYMENT",
        "duration_ms": 40,
        "person": "Pat Payer",
        "member": MEMBER.id,
        "documents": (DocumentId("00000000-0000-4000-8000-00000000d0c5"),),
    }
    one = Exchange(**(given | changes))
    house.database.write(lambda tx: exchange_log.append(tx, one))


Samples = dict[tuple[str, tuple[str, ...]], float]


def scraped(found: Meters) -> Samples:
    """Each sample by its name and its labels' values, as whoever scrapes reads them."""
    return {
        (sample.name, _values(sample.labels)): sample.value
        for family in text_string_to_metric_families(measured(found).decode())
        for sample in family.samples
        if sample.name.startswith("gateway_")
    }


def _values(labels: dict[str, str]) -> tuple[str, ...]:
    """In the order in which we speak of them; the parser has its own."""
    names = (
        "partner",
        "purpose",
        "repository",
        "transaction",
        "side",
        "kind",
        "name",
        "fingerprint",
        "state",
        "outcome",
        "le",
    )
    assert labels.keys() <= set(names)
    return tuple(labels[name] for name in names if name in labels)


def of(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    return {labels: value for (found, labels), value in samples.items() if found == name}


def test_each_exchange_is_counted_once_whoever_recorded_it(house: House, found: Meters) -> None:
    told(house)
    told(house, outcome="failed", duration_ms=400)
    told(house, direction="in", transaction="ITI-55", outcome="refused", partner=None, count=7)
    for _ in range(2):
        samples = scraped(found)
        assert of(samples, "gateway_exchanges_total") == {
            ("ITI-38", "out", "success"): 1,
            ("ITI-38", "out", "failed"): 1,
            ("ITI-55", "in", "refused"): 7,
        }
    told(house)
    assert of(scraped(found), "gateway_exchanges_total")["ITI-38", "out", "success"] == 2
    # Another process, begun now, counts from now on.
    assert (
        of(
            scraped(meters(house.settings, house.database, house.queue, ())),
            "gateway_exchanges_total",
        )
        == {}
    )


def test_durations_are_sorted_by_how_long_they_were(house: House, found: Meters) -> None:
    for milliseconds in (40, 400, 400_000):
        told(house, duration_ms=milliseconds)
    told(house, duration_ms=None)
    samples = scraped(found)
    buckets = of(samples, "gateway_exchange_duration_seconds_bucket")
    by_bound = {labels[-1]: value for labels, value in buckets.items()}
    assert [by_bound[bound] for bound in ("0.025", "0.05", "0.5", "300.0", "+Inf")] == [
        0,
        1,
        2,
        2,
        3,
    ]
    assert of(samples, "gateway_exchange_duration_seconds_sum")["ITI-38", "out"] == 400.44


def test_the_ledger_is_by_partner_and_purpose(house: House, found: Meters) -> None:
    told(house)
    told(house, transaction="ITI-39", purpose="T-PYMNT")
    told(house, partner=PartnerId("2.999.4444"))
    told(house, transaction="REST-SUMMARY")
    _visited(house)
    samples = scraped(found)
    id = PARTNER.id
    assert of(samples, "gateway_partner_exchanges_total") == {
        (id, "PAYMENT", "ITI-38", "out", "success"): 1,
        (id, "T-PYMNT", "ITI-39", "out", "success"): 1,
    }
    assert of(samples, "gateway_partner_members") == {(id, "PAYMENT", "matched"): 1}
    documents = of(samples, "gateway_partner_documents")
    assert documents[id, "PAYMENT", "found"] == 3
    assert documents[id, "PAYMENT", "missing"] == 1
    assert of(samples, "gateway_partner_charges") == {(id, "PAYMENT"): 1}


def _visited(house: House) -> None:
    """One retrieval of today, and one of the day before yesterday."""
    now = datetime.now(UTC)
    for number, created in enumerate((now, now - timedelta(days=2)), 1):
        retrieval = Retrieval(
            RetrievalId(f"00000000-0000-4000-8000-00000000000{number}"),
            PLAN,
            MEMBER.id,
            "PAYMENT",
            Requester("Pat Payer", "adjuster"),
            ConversationId(f"c{number}"),
            created,
            partners=(
                PartnerProgress(
                    PARTNER.id, PARTNER.name, "retrieve", "matched", documents_found=3,
                    documents_missing=1,
                ),
            ),
        )  # fmt: skip

        def unit(tx: Any, one: Retrieval = retrieval) -> None:
            retrievals.create(tx, one)
            for progress in one.partners:
                retrievals.put_progress(tx, plan=PLAN, retrieval=one.id, progress=progress)

        house.database.write(unit)


def a_retrieval(number: int, created: datetime, *progress: PartnerProgress) -> Retrieval:
    return Retrieval(
        RetrievalId(f"00000000-0000-4000-8000-00000000001{number}"),
        PLAN,
        MEMBER.id,
        "PAYMENT",
        Requester("Pat Payer", "adjuster"),
        ConversationId(f"counted {number}"),
        created,
        partners=progress,
    )


def keep(house: House, one: Retrieval, *, is_new: bool = True, ends: bool = True) -> None:
    def unit(tx: Any) -> None:
        if is_new:
            retrievals.create(tx, one)
        for progress in one.partners:
            retrievals.put_progress(tx, plan=PLAN, retrieval=one.id, progress=progress)
        if ends:
            at = datetime.now(UTC)
            retrievals.set_state(tx, plan=PLAN, retrieval=one.id, state="done", finished=at)

    house.database.write(unit)


def test_what_became_of_retrievals_is_counted_once_and_only_grows(house: House) -> None:
    now = datetime.now(UTC)
    matched = PartnerProgress(
        PARTNER.id, PARTNER.name, "retrieve", "matched", documents_found=3, documents_new=2
    )
    waits = replace(matched, outcome=None, documents_found=0, documents_new=0)
    keep(house, a_retrieval(1, now - timedelta(days=2), matched))
    keep(house, a_retrieval(2, now - timedelta(days=1), waits), ends=False)
    keep(house, a_retrieval(5, now - timedelta(hours=12), matched))
    found = meters(house.settings, house.database, house.queue, (PLAN,))
    key = (PARTNER.id, "PAYMENT", "matched")
    asked, listed = "gateway_partner_members_asked_total", "gateway_partner_documents_listed_total"
    # What ended before this process began was another's to count.
    assert of(scraped(found), asked).get(key, 0) == 0
    keep(house, a_retrieval(2, now - timedelta(days=1), matched), is_new=False)
    keep(house, a_retrieval(3, now, matched))
    for _ in range(3):
        samples = scraped(found)
        assert of(samples, asked)[key] == 2
        assert of(samples, listed)[PARTNER.id, "PAYMENT", "found"] == 6
    # Settled, it is not looked at again, and still counted.
    assert all(tally.since > now - timedelta(hours=2) for tally in found.visits)
    keep(house, a_retrieval(4, now, replace(matched, outcome="late")))
    assert of(scraped(found), asked)[PARTNER.id, "PAYMENT", "late"] == 1
    assert of(scraped(found), asked)[key] == 2


def test_the_time_that_partners_took_is_a_counter(house: House, found: Meters) -> None:
    told(house)
    told(house, duration_ms=400)
    spent = of(scraped(found), "gateway_partner_exchange_seconds_total")
    assert spent == {(PARTNER.id, "ITI-38", "out"): 0.44}


def test_how_long_a_partner_took_has_percentiles_by_purpose(house: House, found: Meters) -> None:
    for milliseconds in (40, 40, 400, 400_000):
        told(house, duration_ms=milliseconds)
    told(house, purpose="T-PYMNT", duration_ms=2)
    told(house, direction="in", duration_ms=2)
    told(house, partner=PartnerId("2.999.4444"))
    samples = scraped(found)
    name = "gateway_partner_exchange_duration_seconds"
    id = PARTNER.id
    assert of(samples, f"{name}_count") == {
        (id, "PAYMENT", "out"): 4,
        (id, "T-PYMNT", "out"): 1,
        (id, "PAYMENT", "in"): 1,
    }
    buckets = of(samples, f"{name}_bucket")
    within = [buckets[id, "PAYMENT", "out", bound] for bound in ("0.025", "0.05", "0.5", "+Inf")]
    assert within == [0, 2, 3, 4]
    assert of(samples, f"{name}_sum")[id, "PAYMENT", "out"] == 400.48


def test_what_waits_is_counted_with_its_age(house: House, found: Meters) -> None:
    past = datetime.now(UTC) - timedelta(minutes=2)

    def unit(tx: Any) -> None:
        for kind, when in (("retrieve", past), ("retrieve", None), ("mail-send", None)):
            house.queue.enqueue(tx, kind=kind, plan=PLAN, payload={"m": MEMBER.id}, run_at=when)
        later = datetime.now(UTC) + timedelta(hours=1)
        house.queue.enqueue(tx, kind="submit", plan=PLAN, payload={}, run_at=later)

    house.database.write(unit)
    open_one = Exchange(datetime.now(UTC), "out", "ITI-55", "unknown", plan=PLAN)
    house.database.write(lambda tx: exchange_log.open_exchange(tx, open_one))
    samples = scraped(found)
    waiting = of(samples, "gateway_jobs")
    assert waiting == {
        ("mail-send", "waiting"): 1, ("retrieve", "waiting"): 2, ("submit", "waiting"): 1,
    }  # fmt: skip
    lag = of(samples, "gateway_job_lag_seconds")
    assert 120 <= lag[("retrieve",)] < 180
    assert lag[("submit",)] == 0
    assert of(samples, "gateway_exchanges_open") == {(): 1}


def test_who_ails_and_which_repository_lags_is_shown(house: House, found: Meters) -> None:
    now = datetime.now(UTC)
    ail = partial(partner_health.failed, partner=PARTNER.id, plan=None, reason="late", now=now)
    house.database.write(ail)
    samples = scraped(found)
    assert of(samples, "gateway_partner_failures_in_a_row") == {(PARTNER.id,): 1}
    assert of(samples, "gateway_partner_left_alone") == {(PARTNER.id,): 0}
    for _ in range(2):
        house.database.write(ail)
    house.database.write(lambda tx: audit_feed.begin(tx, "arr", whole_log=False))
    told(house, time=now - timedelta(seconds=90))
    samples = scraped(found)
    assert of(samples, "gateway_partner_left_alone") == {(PARTNER.id,): 1}
    assert of(samples, "gateway_audit_feed_records_behind") == {("arr",): 1}
    assert 90 <= of(samples, "gateway_audit_feed_lag_seconds")[("arr",)] < 150
    assert of(samples, "gateway_audit_feed_dead_letters") == {("arr",): 0}


def test_when_each_certificate_ends_that_we_rely_on_is_shown_under_no_address(
    house: House, found: Meters
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    top, of_bundle = (MailAuthority(name, now).certificate for name in ("Top", "Of a bundle"))
    signer = MailAuthority("Publisher", now).leaf("bundles@publisher.example").certificate
    key, certificate = certified("rosalind.sampleton@direct.acme.example")
    own = direct_keys.seal_key(
        house.archive.blobs.keys, plan=PLAN, owner="rosalind.sampleton@direct.acme.example",
        key=key, certificates=[certificate], now=now, since=now,
    )  # fmt: skip

    def unit(tx: Any) -> None:
        direct_keys.put(tx, own)
        for domain in (None, "direct.acme.example"):  # the same anchor twice is one sample
            anchor = DirectAnchor(top, Reach(domain=domain))
            direct_anchors.put_anchor(tx, anchor, now=now)
        direct_anchors.put_bundle(tx, DirectBundle("acc", "https://acc.example/", signer=signer))
        bundle = Bundle((of_bundle,), metadata=None, signer=signer, unread=0)
        direct_anchors.add_version(tx, "acc", b"", bundle, state="current", reason=None, now=now)

    house.database.write(unit)
    ours = house.settings.tls
    assert ours is not None
    tls = x509.load_pem_x509_certificate(ours.certificate.read_bytes())
    shown = of(scraped(found), "gateway_certificate_expires_timestamp_seconds")
    assert shown == {
        (kind, name, one.fingerprint(SHA256()).hex()[:16]): one.not_valid_after_utc.timestamp()
        for kind, name, one in (
            ("tls", ours.certificate.name, tls),
            ("signing", ours.certificate.name, tls),
            ("anchor", "test", authority().certificate),
            ("partner", PARTNER.id, certificate_of(PARTNER.name).certificate),
            ("direct", "direct.acme.example", certificate),
            ("direct_anchor", "CN=Top", top),
            ("bundle_anchor", "acc", of_bundle),
            ("bundle_signer", "acc", signer),
        )
    }
    assert b"sampleton" not in measured(found).lower()


def test_a_certificate_that_is_gone_takes_no_other_figure_along(
    house: House, found: Meters
) -> None:
    gone = Network(name="gone", anchors=(Path("/nowhere/anchor.pem"),))
    lost = replace(found, settings=house.settings.model_copy(update={"networks": (gone,)}))
    shown = of(scraped(lost), "gateway_certificate_expires_timestamp_seconds")
    assert {labels[0] for labels in shown} == {"tls", "signing", "partner"}


def test_no_label_holds_what_a_peer_or_a_member_is_called(house: House, found: Meters) -> None:
    told(house, purpose="Rosalind Sampleton", peer="CN=Rosalind")
    told(house, transaction="Rosalind Sampleton", reason="Rosalind Sampleton")
    text = measured(found).decode()
    assert 'purpose="other"' in text and 'transaction="other"' in text
    for private in ("Rosalind", "Pat Payer", MEMBER.id, "d0c5", "DM-"):
        assert private not in text


async def _get(found: Meters, path: str = "/metrics") -> httpx.Response:
    application = create_operations_application(lambda: None, found)
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://operations") as client:
        return await client.get(path)


async def test_it_is_prometheus_text_and_being_read_leaves_no_record(
    house: House, found: Meters
) -> None:
    before = len(records(house))
    answer = await _get(found)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert f"gateway_log_records {before}.0\n" in answer.text
    assert "process_resident_memory_bytes" in answer.text
    assert len(records(house)) == before


async def test_a_database_that_is_away_is_no_page_of_zeros(house: House, found: Meters) -> None:
    house.database.close()
    answer = await _get(found)
    assert answer.status_code == 503
    assert "gateway_" not in answer.text
