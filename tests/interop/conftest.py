"""What every interop test stands on: the built peer, the keys, a running Java responder."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model.partner import Endpoints
from tests.installs import Unavailable
from tests.interop import facts, mail_peers, peer, validators, wsdl_clients
from tests.interop.certificates import Certificates, Party, make_certificates
from tests.interop.our_gateway import OurGateway, partner_of
from tests.interop.peer import Addresses, Asked, JavaInitiator, JavaResponder, Stores


@dataclass(frozen=True, slots=True)
class World:
    """Files of one run: keys, facts, the document, and room for the JVMs' own."""

    folder: Path
    certificates: Certificates
    responder_facts: Path
    initiator_facts: Path
    initiator_of_ours_facts: Path
    document: Path
    initiator: JavaInitiator

    def stores(self, party: Party) -> Stores:
        return Stores(party, self.certificates.trust_store, self.certificates.stranger)

    def java_responder(self, **options: str) -> JavaResponder:
        return JavaResponder(
            stores=self.stores(self.certificates.responder),
            facts=self.responder_facts,
            scratch=self.folder,
            options={"document": str(self.document), **_spelled(options)},
        )

    def java_initiator(
        self,
        addresses: Addresses,
        *,
        facts_file: Path | None = None,
        party: Party | None = None,
        **options: str,
    ) -> Asked:
        stores = self.stores(party or self.certificates.initiator)
        return self.initiator.ask(
            addresses,
            stores=stores,
            facts=facts_file or self.initiator_facts,
            options={"other-store": str(stores.stranger.signing.store), **_spelled(options)},
        )

    def java_submits(
        self, url: str, step: str, *, document: Path | None = None, **options: str
    ) -> Asked:
        """The initiator submits a document to our gateway."""
        return self.java_initiator(
            Addresses(url, url, url),
            facts_file=self.initiator_of_ours_facts,
            submit=step,
            document=str(document or self.document),
            **options,
        )

    def our_responder(
        self,
        name: str,
        *,
        initiator: Party | None = None,
        replies: tuple[str, ...] = (),
    ) -> OurGateway:
        """`replies` are where the initiator may have answers sent."""
        by = initiator or self.certificates.initiator
        asking = partner_of("Interop Clinic", facts.INITIATOR_HOME, by)
        asking = replace(asking, endpoints=Endpoints(replies=replies))
        return OurGateway(self.folder / name, self.certificates.gateway, asking)

    def our_initiator(self, name: str, **profile: Any) -> OurGateway:
        """`profile` is how the responder is spoken to, if otherwise than usual."""
        responder = self.certificates.responder
        asked = partner_of("Interop Hospital", facts.RESPONDER_HOME, responder, **profile)
        return OurGateway(self.folder / name, self.certificates.gateway, asked)


@pytest.fixture(scope="session")
def reply_port() -> str:
    """Where the initiator takes answers that come later: IPF opens its addresses once a process."""
    return str(peer.free_port())


@pytest.fixture(scope="session")
def deferred_port() -> str:
    """Where the initiator takes results of deferred discoveries."""
    return str(peer.free_port())


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    _build(peer.build)
    folder = tmp_path_factory.mktemp("interop")
    document = folder / "document.xml"
    document.write_bytes(facts.DOCUMENT)
    with JavaInitiator(folder) as initiator:
        yield World(
            folder=folder,
            certificates=make_certificates(folder),
            responder_facts=peer.write_facts(folder / "responder.properties", facts.RESPONDER),
            initiator_facts=peer.write_facts(folder / "initiator.properties", facts.INITIATOR),
            initiator_of_ours_facts=peer.write_facts(
                folder / "initiator-of-ours.properties", facts.INITIATOR_OF_OURS
            ),
            document=document,
            initiator=initiator,
        )


@pytest.fixture(scope="session")
def validators_built() -> None:
    _build(validators.build)


@pytest.fixture(scope="session")
def wsdl_clients_built() -> None:
    _build(wsdl_clients.build)


@pytest.fixture(scope="session")
def mail_peers_built() -> None:
    _build(mail_peers.build)


@pytest.fixture(scope="module")
def java_responder(world: World) -> Iterator[JavaResponder]:
    with world.java_responder() as responder:
        yield responder


@pytest.fixture(scope="module")
def our_responder(world: World, request: pytest.FixtureRequest) -> Iterator[OurGateway]:
    """Our gateway, which gives what facts.py says to the initiator."""
    with world.our_responder(f"asked-by-{request.module.__name__.rpartition('.')[2]}") as ours:
        yield ours


@pytest.fixture(scope="module")
def our_initiator(world: World) -> Iterator[OurGateway]:
    """Our gateway, asking the responder for the member that facts.py describes."""
    with world.our_initiator("our-initiator") as ours:
        yield ours


def _spelled(options: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in options.items()}


def _build(build: Callable[[], None]) -> None:
    """A run without the other hands proves nothing: it must not look like one that passed."""
    try:
        build()
    except Unavailable as missing:
        pytest.exit(str(missing), returncode=1)
