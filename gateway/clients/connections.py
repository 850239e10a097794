"""Connections to partners: mutual TLS, one pool a partner, no proxy and no redirect (DECISIONS 5).

Before our first byte leaves, the partner's certificate is looked up for revocation. What fails is
told in the words of `failures`, never in the library's, which may quote an address.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final

import httpx
from cryptography import x509

from gateway.clients.failures import (
    BrokenOff,
    NotCalled,
    NotTrusted,
    PartnerFailed,
    PartnerLate,
    Unreachable,
)
from gateway.clients.http_transport import HttpTransport
from gateway.clients.tls import NothingToTrust
from gateway.model.partner import Partner
from gateway.model.trust import RequireUnrevoked, certificate
from ihe.errors import SecurityRefused

_LOOKING: Final = 16
_UNCOMPRESSED: Final = {"Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection pool, and the context it was made with."""

    context: ssl.SSLContext
    client: httpx.AsyncClient


@dataclass(frozen=True, slots=True)
class Connections:
    """Those of one process; `context_for` gives the TLS context by which a partner is verified,
    the same object as long as nothing has changed."""

    context_for: Callable[[Partner], ssl.SSLContext]
    require_unrevoked: RequireUnrevoked
    _kept: dict[Partner, _Kept] = field(default_factory=dict)
    _outdated: list[httpx.AsyncClient] = field(default_factory=list)

    async def close(self) -> None:
        """Closes the connections that were kept open."""
        for connection in (*self._outdated, *(one.client for one in self._kept.values())):
            await connection.aclose()
        self._kept.clear()
        self._outdated.clear()

    @asynccontextmanager
    async def opened(
        self,
        partner: Partner,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | AsyncIterator[bytes] | None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer to one HTTP request, its head read and its content still to come.

        Raises:
            PartnerFailed: no connection that we trust, or it failed; also inside the block.
        """
        if not url.lower().startswith("https://"):
            raise NotCalled("its address is not https")
        try:
            client = self._client(partner)
            async with client.stream(
                method,
                url,
                content=content,
                headers={**headers, "Accept": "*/*", **_UNCOMPRESSED},
                extensions={"trace": partial(self._look_at_tls, partner)},
            ) as response:
                yield response
        except NothingToTrust:
            raise NotCalled("nothing says which TLS certificate it must show") from None
        except httpx.TimeoutException:
            seconds = partner.profile.timeout_seconds
            raise PartnerLate(f"no answer within {seconds:g} s") from None
        except (httpx.ConnectError, ssl.SSLError) as error:
            # TLS 1.3 refuses our certificate only as we read, and then ssl speaks for itself.
            raise _why_not_connected(error) from None
        except httpx.InvalidURL:
            raise NotCalled("its address is not usable") from None
        except httpx.HTTPError as error:
            # Texts of the library may quote the URL, and are not repeated.
            raise _why_broken_off(error) from None

    def _client(self, partner: Partner) -> httpx.AsyncClient:
        context = self.context_for(partner)
        kept = self._kept.get(partner)
        if kept is not None and kept.context is context:
            return kept.client
        if kept is not None:  # our certificate is another now; calls under way go on
            self._outdated.append(kept.client)
        client = httpx.AsyncClient(
            transport=HttpTransport(context),
            timeout=httpx.Timeout(partner.profile.timeout_seconds),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "document-exchange-gateway"},
        )
        self._kept[partner] = _Kept(context, client)
        return client

    async def _look_at_tls(self, partner: Partner, event: str, info: dict[str, Any]) -> None:
        """Once TLS stands, and before our first byte: whether its certificate was revoked."""
        if event != "connection.start_tls.complete":
            return
        stream = info["return_value"]
        shown = stream.get_extra_info("ssl_object").getpeercert(binary_form=True)
        leaf = x509.load_der_x509_certificate(shown)
        # TLS has verified the chain and does not show it; its issuer is found from the leaf.
        chain = () if leaf in map(certificate, partner.tls_certificates) else (leaf,)
        try:
            look = partial(self.require_unrevoked, partner, leaf, chain)
            await asyncio.get_running_loop().run_in_executor(_looking(), look)
        except BaseException as ended:
            await stream.aclose()  # nobody else knows of it yet, also if time was up meanwhile
            if isinstance(ended, SecurityRefused):
                why = f"its TLS certificate is not trusted ({ended.reason})"
                raise NotTrusted(why) from None
            raise


@cache
def _looking() -> ThreadPoolExecutor:
    """Threads that wait for revocation lists and responders: one that hangs takes no thread that
    others work in."""
    return ThreadPoolExecutor(_LOOKING, thread_name_prefix="revocation")


def _why_broken_off(error: httpx.HTTPError) -> PartnerFailed:
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError):
        return BrokenOff("it broke the connection off before its answer was whole")
    return PartnerFailed(f"the connection failed ({type(error).__name__})")


def _why_not_connected(error: Exception) -> PartnerFailed:
    causes: Any = error
    while causes is not None:
        if isinstance(causes, ssl.SSLCertVerificationError):
            return NotTrusted(f"its TLS certificate is not trusted ({causes.verify_message})")
        if isinstance(causes, ssl.SSLError):
            return NotTrusted("the TLS handshake failed")
        causes = causes.__cause__ or causes.__context__
    return Unreachable("no connection could be made")
