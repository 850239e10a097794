"""Which algorithms a message may use, and which ones ours use: names, identifiers, policy.

Direct AS 1.3: 2.8 over RFC 5754 (digests), RFC 8017 (RSA), RFC 5753 (elliptic curves), RFC 3565 and
RFC 5084 (AES). What is refused has a name here, so that the reason can say it.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from direct.errors import AlgorithmRefused

DigestName = Literal["sha256", "sha384", "sha512"]
OaepDigestName = Literal["sha1", "sha224", "sha256", "sha384", "sha512"]
AgreementDigestName = Literal["sha1", "sha224", "sha256", "sha384", "sha512"]
CipherName = Literal[
    "aes128-cbc", "aes192-cbc", "aes256-cbc", "aes128-gcm", "aes192-gcm", "aes256-gcm"
]
KeyTransportName = Literal["rsa-oaep", "rsa-pkcs1v15"]
RsaSignatureName = Literal["pkcs1v15", "pss"]

HASHES: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
DIGESTS: Final = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
CIPHERS: Final = {
    "2.16.840.1.101.3.4.1.2": "aes128-cbc",
    "2.16.840.1.101.3.4.1.22": "aes192-cbc",
    "2.16.840.1.101.3.4.1.42": "aes256-cbc",
    "2.16.840.1.101.3.4.1.6": "aes128-gcm",
    "2.16.840.1.101.3.4.1.26": "aes192-gcm",
    "2.16.840.1.101.3.4.1.46": "aes256-gcm",
    "1.2.840.113549.3.7": "3des-cbc",
    "1.2.840.113549.3.2": "rc2-cbc",
    "1.2.840.113549.3.4": "rc4",
    "1.3.14.3.2.7": "des-cbc",
    "2.16.840.1.101.3.4.1.7": "aes128-ccm",
    "2.16.840.1.101.3.4.1.27": "aes192-ccm",
    "2.16.840.1.101.3.4.1.47": "aes256-ccm",
}
# RFC 5753: 7.1.4, and SEC 1: C.3. On the curves that we take, the cofactor is one.
KEY_AGREEMENTS: Final = {
    "1.3.133.16.840.63.0.2": "sha1",
    "1.3.132.1.11.0": "sha224",
    "1.3.132.1.11.1": "sha256",
    "1.3.132.1.11.2": "sha384",
    "1.3.132.1.11.3": "sha512",
    "1.3.133.16.840.63.0.3": "sha1",
    "1.3.132.1.14.0": "sha224",
    "1.3.132.1.14.1": "sha256",
    "1.3.132.1.14.2": "sha384",
    "1.3.132.1.14.3": "sha512",
}
KEY_WRAPS: Final = {
    "2.16.840.1.101.3.4.1.5": 16,
    "2.16.840.1.101.3.4.1.25": 24,
    "2.16.840.1.101.3.4.1.45": 32,
}
"""AES key wraps (RFC 3565: 2.3.2) with the octets of their key."""
RSA_PKCS1V15: Final = "1.2.840.113549.1.1.1"
RSA_OAEP: Final = "1.2.840.113549.1.1.7"
RSA_PSS: Final = "1.2.840.113549.1.1.10"
MGF1: Final = "1.2.840.113549.1.1.8"
RSA_SIGNATURES: Final = {
    "1.2.840.113549.1.1.4": "md5",
    "1.2.840.113549.1.1.5": "sha1",
    "1.2.840.113549.1.1.14": "sha224",
    "1.2.840.113549.1.1.11": "sha256",
    "1.2.840.113549.1.1.12": "sha384",
    "1.2.840.113549.1.1.13": "sha512",
}
ECDSA_SIGNATURES: Final = {
    "1.2.840.10045.4.1": "sha1",
    "1.2.840.10045.4.3.1": "sha224",
    "1.2.840.10045.4.3.2": "sha256",
    "1.2.840.10045.4.3.3": "sha384",
    "1.2.840.10045.4.3.4": "sha512",
}
EC_PUBLIC_KEY: Final = "1.2.840.10045.2.1"
_IN_WORDS: Final = {"md5": "MD5", "sha1": "SHA-1", "3des-cbc": "Triple DES"}


@dataclass(frozen=True, slots=True)
class AlgorithmPolicy:
    """What we take from others. Nothing outside these sets is tried (Direct AS 1.3: 2.8)."""

    digests: frozenset[str] = frozenset(get_args(DigestName))
    ciphers: frozenset[str] = frozenset(get_args(CipherName))
    key_transports: frozenset[str] = frozenset((*get_args(KeyTransportName), "ecdh"))
    curves: frozenset[str] = frozenset(("secp256r1", "secp384r1", "secp521r1"))
    least_rsa_bits: int = 2048
    most_rsa_bits: int = 8192
    """A longer key costs its checker more than its maker."""

    def check_digest(self, name: str | None) -> str:
        """The digest, if we take it for signatures.

        Raises:
            AlgorithmRefused: MD5, SHA-1 or one that we do not know.
        """
        if name is None or name not in self.digests:
            raise AlgorithmRefused(f"the digest {_in_words(name)} is refused")
        return name

    def check_cipher(self, name: str | None) -> str:
        """The content's cipher, if we take it.

        Raises:
            AlgorithmRefused: Triple DES or one that we do not know.
        """
        if name is None or name not in self.ciphers:
            raise AlgorithmRefused(f"the content cipher {_in_words(name)} is refused")
        return name

    def check_key_transport(self, name: str) -> None:
        """Whether content keys may come in this way.

        Raises:
            AlgorithmRefused: they may not.
        """
        if name not in self.key_transports:
            raise AlgorithmRefused(f"keys sent by {_in_words(name)} are refused")

    def check_key(self, key: PublicKeyTypes) -> None:
        """Whether the key is of a kind and length that we take.

        Raises:
            AlgorithmRefused: RSA under 2,048 or over 8,192 bits, another curve, another kind.
        """
        if isinstance(key, rsa.RSAPublicKey):
            if not self.least_rsa_bits <= key.key_size <= self.most_rsa_bits:
                raise AlgorithmRefused(f"an RSA key of {key.key_size} bits is refused")
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if key.curve.name not in self.curves:
                raise AlgorithmRefused(f"the curve {key.curve.name} is refused")
        else:
            raise AlgorithmRefused("a key that is neither RSA nor on an elliptic curve is refused")


@dataclass(frozen=True, slots=True)
class SealAlgorithms:
    """What we seal with for one partner; a partner's record holds its preferences in order.

    `key_transport` is for RSA recipients; a recipient with an elliptic curve key is reached by
    ECDH. `rsa_signature` is for an RSA signer; an elliptic curve signs by ECDSA.
    """

    digest: DigestName = "sha256"
    rsa_signature: RsaSignatureName = "pkcs1v15"
    cipher: CipherName = "aes256-cbc"
    key_transport: KeyTransportName = "rsa-oaep"
    oaep_digest: OaepDigestName = "sha1"
    """Signs nothing; the reference agent (8.0.0) reads no other, and what it cannot read is lost
    without a word (RFC 8017: B.1: collisions do not matter to OAEP)."""
    agreement_digest: AgreementDigestName = "sha256"
    recipient_id: Literal["issuer-serial", "ski"] = "issuer-serial"

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.digest, DigestName),
            (self.rsa_signature, RsaSignatureName),
            (self.cipher, CipherName),
            (self.key_transport, KeyTransportName),
            (self.oaep_digest, OaepDigestName),
            (self.agreement_digest, AgreementDigestName),
            (self.recipient_id, Literal["issuer-serial", "ski"]),
        ):
            if value not in get_args(allowed):
                raise ValueError(f"{value} is none of {', '.join(get_args(allowed))}")

    def __str__(self) -> str:
        transport = self.key_transport
        if transport == "rsa-oaep":
            transport += f"-{self.oaep_digest}"  # type: ignore[assignment]
        return f"{self.cipher}, {transport}, {self.digest}, {self.rsa_signature}"


DEFAULT: Final = SealAlgorithms()
PREFERENCES: Final = (
    DEFAULT,
    SealAlgorithms(oaep_digest="sha256"),
    SealAlgorithms(key_transport="rsa-pkcs1v15"),
)
"""OAEP first, then its form of every old library, then PKCS #1 v1.5 (Direct AS 1.3: 2.8)."""


def _in_words(name: str | None) -> str:
    return "that we do not know" if name is None else _IN_WORDS.get(name, name)
