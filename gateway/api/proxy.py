"""A client certificate that a proxy of ours passes on in a header (RFC 9440, Envoy, nginx).

TLS that ends at a proxy proves nothing to us; its word does, if it is known to be the proxy's. So
a header counts only from whom settings name, and from anybody else it is refused, not left aside:
whoever sends one wants to be taken for somebody.
"""

import re
from base64 import b64decode
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.api.listener import PEER_CERTIFICATE
from gateway.api.partner_means import TrustedProxy
from ihe.errors import SecurityRefused

_HEADERS: Final = (b"client-cert", b"x-forwarded-client-cert", b"ssl-client-cert")
_BYTES: Final = re.compile(rb":([A-Za-z0-9+/]+={0,2}):")
_PAIR: Final = re.compile(rb'([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"]*))(?:;|$)')
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def client_certificate(scope: Any, proxy: TrustedProxy | None) -> bytes | None:
    """The certificate (DER) that the client has proven to have: to our TLS, or to our proxy.

    Raises:
        SecurityRefused: a header that is not the proxy's, or a proxy that says nothing usable.
    """
    shown: bytes | None = scope.get("state", {}).get(PEER_CERTIFICATE)
    given = [(name.lower(), value) for name, value in scope["headers"]]
    if proxy is None or not _is_proxy(proxy, shown, scope):
        if any(name in _HEADERS for name, _ in given):
            raise SecurityRefused("a client certificate in a header, and not from our proxy")
        return shown
    values = [value.strip() for name, value in given if name == proxy.header.encode()]
    if len(values) != 1:
        raise SecurityRefused("the proxy passed on no client certificate, or several")
    try:
        return _READERS[proxy.header](values[0]).public_bytes(Encoding.DER)
    except ValueError:
        raise SecurityRefused("the proxy passed on no certificate that can be read") from None


def _is_proxy(proxy: TrustedProxy, shown: bytes | None, scope: Any) -> bool:
    if shown is not None:
        return sha256(shown).hexdigest() in proxy.certificates
    if scope["scheme"] == "https":
        return False
    # A socket file has no address; who may open it is for the file system to say.
    return scope.get("client") is None or scope["client"][0] in proxy.addresses


def _read_bytes(value: bytes) -> x509.Certificate:
    """RFC 9440: 2.2: a byte sequence of RFC 8941."""
    match = _BYTES.fullmatch(value)
    if match is None:
        raise ValueError("no byte sequence")
    return x509.load_der_x509_certificate(b64decode(match.group(1), validate=True))


def _read_escaped(value: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(
        _ESCAPED.sub(lambda match: bytes.fromhex(match.group(1).decode()), value)
    )


def _read_elements(value: bytes) -> x509.Certificate:
    """Envoy's header, of one hop: a second element would be what the client has sent."""
    found: dict[bytes, bytes] = {}
    place = 0
    while place < len(value):
        match = _PAIR.match(value, place)
        if match is None:
            raise ValueError("no list of pairs, or of more than one hop")
        name = match.group(1).lower()
        if name in found and name == b"cert":
            raise ValueError("two certificates")
        found[name] = match.group(2) if match.group(3) is None else match.group(3)
        place = match.end()
    return _read_escaped(found.get(b"cert", b""))


_READERS: Final = {
    "client-cert": _read_bytes,
    "x-forwarded-client-cert": _read_elements,
    "ssl-client-cert": _read_escaped,
}
