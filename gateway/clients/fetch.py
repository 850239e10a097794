"""Public things fetched by address: CRL, OCSP, issuers' certificates (DECISIONS 24).

The address comes out of a certificate, so it is nobody's whom we trust with it: only http and
https, only to public addresses, with a cap on bytes and on time. The name is resolved here and
the connection goes to the address that was looked at, so that a second answer of DNS changes
nothing; each redirect is looked at anew, and none leads from https to http.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from gateway.settings_addresses import PrivateAddresses

MOST_BYTES: Final = 16 * 1024 * 1024
"""The largest lists of public CAs have about 10 MB."""
_SECONDS: Final = 5.0
_REDIRECTS: Final = 3
_GIVEN_OUT: Final = ip_network("2000::/3")
"""All of IPv6 that anybody on the internet has been given (RFC 4291: 2.4). Outside of it stand what
no version of Python knows whole: addresses of a house's own, and IPv4 addresses inside of prefixes
by which a translator of the house reaches them (RFC 6052, RFC 8215, RFC 7915)."""
_EXAMPLES: Final = ip_network("3fff::/20")
"""RFC 9637."""
_PORTS: Final = {"http": 80, "https": 443}


class FetchFailed(Exception):
    """It could not be had; the text is a sentence of ours, without the address.

    `status` is what HTTP answered, None where nothing did.
    """

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches from public addresses, and from those `address:port` that settings allow by name."""

    private_addresses: PrivateAddresses = field(default_factory=PrivateAddresses)
    seconds: float = _SECONDS
    most_bytes: int = MOST_BYTES

    def fetch(self, url: str, body: bytes | None = None, content_type: str = "") -> bytes:
        """What is at `url`; with a body, what is answered to it. It blocks: call it in a thread.

        Raises:
            FetchFailed: not at all, not in time, too large, or at an address that is not public.
        """
        try:
            return asyncio.run(self._fetch(url, body, content_type))
        except TimeoutError:
            raise FetchFailed("it takes too long") from None

    async def _fetch(self, url: str, body: bytes | None, content_type: str) -> bytes:
        # One deadline over all: a timeout of each read is never met by a byte now and again.
        # trust_env: a proxy of the environment would resolve names out of our sight.
        async with (
            asyncio.timeout(self.seconds),
            httpx.AsyncClient(timeout=None, trust_env=False, follow_redirects=False) as client,  # noqa: S113
        ):
            for _ in range(_REDIRECTS + 1):
                answer = await self._once(client, url, body, content_type)
                if isinstance(answer, bytes):
                    return answer
                url = answer.url
        raise FetchFailed("it is sent on too often")

    async def _once(
        self, client: httpx.AsyncClient, url: str, body: bytes | None, content_type: str
    ) -> "bytes | _Elsewhere":
        try:
            request = await self._request(client, url, body, content_type)
            response = await client.send(request, stream=True)
            try:
                if response.is_redirect:
                    return _Elsewhere(sent_on(url, response.headers["location"]))
                if response.status_code != 200:
                    status = response.status_code
                    raise FetchFailed(f"it answers HTTP {status}", status=status)
                return await self._read(response)
            finally:
                await response.aclose()
        # Whoever wrote the address, or where it is sent on to, may have written anything.
        except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError) as error:
            raise FetchFailed(f"the connection failed ({type(error).__name__})") from None

    async def _request(
        self, client: httpx.AsyncClient, url: str, body: bytes | None, content_type: str
    ) -> httpx.Request:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            raise FetchFailed("its address is not usable") from None
        if parts.scheme not in _PORTS or not host or parts.username is not None:
            raise FetchFailed("its address is not one of http or https")
        address = await self._look_up(host, port)
        shown = f"[{address}]" if address.version == 6 else str(address)
        target = httpx.URL(url).copy_with(host=shown)
        headers = {"Host": parts.netloc, "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = content_type
        return client.build_request(
            "GET" if body is None else "POST",
            target,
            content=body,
            headers=headers,
            extensions={"sni_hostname": host},
        )

    async def _look_up(self, host: str, port: int) -> IPv4Address | IPv6Address:
        """Where the name leads, if every address of it is one that we may go to."""
        look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        # In a thread of its own, which is left behind where a resolver does not answer: the loop
        # would wait for one of its own threads at its end, deadline or not.
        beside = ThreadPoolExecutor(1, thread_name_prefix="resolver")
        try:
            found = await asyncio.get_running_loop().run_in_executor(beside, look)
        except (OSError, UnicodeError):
            raise FetchFailed("its name cannot be resolved") from None
        finally:
            beside.shutdown(wait=False)
        addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        for address in addresses:
            if not is_public(address) and not self.private_addresses.allow(address, port):
                raise FetchFailed("its address is not a public one")
        return addresses[0]

    async def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > self.most_bytes:
                raise FetchFailed("it is larger than we take")
        return bytes(content)


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    url: str


def sent_on(url: str, location: str) -> str:
    """Where a redirect leads.

    Raises:
        FetchFailed: what was asked for over https would come from whoever stands in between.
    """
    following = urljoin(url, location)
    if urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https":
        raise FetchFailed("it is sent on from https to what is not")
    return following


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is reached over the internet, whatever it is dressed as."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address not in _GIVEN_OUT or address in _EXAMPLES or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast
