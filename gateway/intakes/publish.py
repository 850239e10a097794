"""Our own certificates, shown by DNS and LDAP while the gateway serves, as `[publish]` says."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime

from cryptography import x509

from direct.directory import Directory
from direct.publication import Listing, NothingToPublish, context_of, entries, listings
from gateway.intakes.publish_dns import Zones, answering_dns
from gateway.intakes.publish_ldap import answering_ldap
from gateway.settings import InvalidSettings
from gateway.settings_discovery import Publish, host_and_port


@asynccontextmanager
async def publishing(
    stated: Publish | None, *, now: datetime, keys: Sequence[x509.Certificate] = ()
) -> AsyncIterator[dict[str, int]]:
    """Answers while the block runs; gives the ports of "dns" and "ldap", as far as they listen.

    `keys` are the certificates of our own Direct keys, as they are when it begins.

    Raises:
        InvalidSettings: a certificate cannot be read, or is bound to nothing of ours.
        OSError: an address is taken.
    """
    ports: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        if stated is not None and (stated.dns or stated.ldap):
            found = own_listings(stated, keys)
            if stated.dns:
                host, port = host_and_port(stated.dns)
                answering = answering_dns(zones(stated, found, now=now), host, port)
                ports["dns"] = await stack.enter_async_context(answering)
            if stated.ldap:
                host, port = host_and_port(stated.ldap)
                answering = answering_ldap(directory(stated, found), host, port)
                ports["ldap"] = await stack.enter_async_context(answering)
        yield ports


def own_listings(stated: Publish, keys: Sequence[x509.Certificate] = ()) -> tuple[Listing, ...]:
    """What the certificates of the settings are bound to; without any, those of `keys`, as far as
    they are bound to our domains.

    Raises:
        InvalidSettings: one cannot be read, or is bound to nothing of ours.
    """
    if not stated.certificates:
        return tuple(_of_keys(stated, keys))
    certificates = []
    for path in stated.certificates:
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            listings([certificate], stated.domains)
        except OSError as error:
            raise InvalidSettings(f"[publish] {path} cannot be read: {error.strerror}") from None
        except NothingToPublish as nothing:
            raise InvalidSettings(f"[publish] {path}: {nothing}") from None
        except ValueError:
            raise InvalidSettings(f"[publish] {path} is no certificate in PEM") from None
        certificates.append(certificate)
    return listings(certificates, stated.domains)


def _of_keys(stated: Publish, keys: Sequence[x509.Certificate]) -> Sequence[Listing]:
    bound = []
    for key in keys:
        with suppress(NothingToPublish):  # of a domain that is published elsewhere
            listings([key], stated.domains)
            bound.append(key)
    return listings(bound, stated.domains)


def zones(stated: Publish, found: Sequence[Listing], *, now: datetime) -> Zones:
    """The zones of our domains; the serial grows with each start."""
    return Zones(
        found,
        domains=stated.domains,
        name_servers=stated.name_servers,
        server=stated.server,
        ttl_seconds=stated.ttl_seconds,
        serial=int(now.timestamp()) % 2**32,
    )


def directory(stated: Publish, found: Sequence[Listing]) -> Directory:
    """The entries of our domains."""
    contexts = dict.fromkeys(context_of(one.domain) for one in found)
    return Directory(tuple(contexts), entries(found))
