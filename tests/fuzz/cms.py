"""`python -m tests.fuzz.cms [--runs N] [--first N] [--case N]`: hostile Direct messages.

Each case is a message, a CMS structure or a signed entity of ours with octets changed, cut, doubled
or spliced, by a number that makes it again. Three claims: nothing but a `DirectError` comes out,
none costs more than two seconds of CPU, and whatever is opened is content that was signed.
"""

import argparse
import base64
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from direct import ber, smime
from direct.cms_structure import read_enveloped, read_signed
from direct.errors import DirectError
from direct.smime import DEFAULT_POLICY, PREFERENCES, DecryptionKey, SealAlgorithms, open_sealed
from direct.smime_entity import encode_base64, read_entity, split_signed
from tests.certificates import leaf
from tests.direct.sealing import ENTITY, key, recipient, sealed, sender
from tests.fuzz.patience import WithoutEnd, patience

MOST_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 60.0
_SIGNED: Final = (ENTITY, ENTITY.replace(b"\r\n", b"\n"))
Read = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Seed:
    """Octets to be changed, and who reads them."""

    kind: str
    data: bytes
    read: Read


@dataclass(frozen=True, slots=True)
class Look:
    """What came of one case: the error's name or "opened", and the broken claim if any."""

    outcome: str
    seconds: float
    broken: str | None = None


@cache
def keys() -> tuple[DecryptionKey, ...]:
    return (key(recipient()), key(recipient("p256")))


def seeds() -> tuple[Seed, ...]:
    """Messages over the algorithms with the layers inside them, in DER and in BER."""
    return _seeds()


@cache
def _seeds() -> tuple[Seed, ...]:
    found: list[Seed] = []
    ways = [
        *PREFERENCES,
        SealAlgorithms(cipher="aes256-gcm", recipient_id="ski"),
        SealAlgorithms(cipher="aes128-cbc", rsa_signature="pss", digest="sha384"),
    ]
    for algorithms in ways:
        for to, by in ((recipient(), sender()), (recipient("p256"), sender("p256"))):
            recipients = (leaf("another").certificate, to.certificate)
            message = sealed(by=by, to=recipients, algorithms=algorithms)
            cms = read_entity(message).decode()
            decrypted = _decrypted(cms)
            signature = split_signed(read_entity(decrypted))[1].decode()
            found += (
                Seed("message", message, _open),
                Seed("enveloped", cms, _open_cms),
                Seed("enveloped in BER", indefinite(cms), _open_cms),
                Seed("entity", decrypted, _open_entity),
                Seed("signature", signature, _open_signature),
                Seed("signature in BER", indefinite(signature), _open_signature),
                Seed("structure", signature, _read_structure),
            )
    return tuple(found)


def _decrypted(cms: bytes) -> bytes:
    found = smime.decrypt(read_enveloped(cms), keys(), DEFAULT_POLICY)
    return found.octets[: found.end]


def indefinite(der: bytes) -> bytes:
    """The same structure as a streaming writer would have it; strings in pieces of 100."""
    element = ber.read(der)
    if element.tag == ber.OCTET_STRING and len(element.body) > 100:
        return _pieces(b"\x24\x80", element.body)
    if element.tag == 0x80 and len(element.body) > 100:
        return _pieces(b"\xa0\x80", element.body)
    if not element.tag & 0x20:
        return bytes(element.raw)
    inner = b"".join(indefinite(bytes(one.raw)) for one in element.parts())
    return bytes((element.tag, 0x80)) + inner + b"\x00\x00"


def _pieces(head: bytes, octets: memoryview) -> bytes:
    cut = [octets[at : at + 100] for at in range(0, len(octets), 100)]
    return head + b"".join(ber.tlv(ber.OCTET_STRING, one) for one in cut) + b"\x00\x00"


def case(number: int) -> tuple[Seed, bytes]:
    """The case of this number: the seed, and its changed octets."""
    chance = random.Random(number)
    all_seeds = seeds()
    seed = all_seeds[number % len(all_seeds)]
    data = bytearray(seed.data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        chance.choice(_CHANGES)(data, chance, all_seeds)
    return seed, bytes(data)


def look(number: int) -> Look:
    """What comes of the case."""
    seed, data = case(number)
    started = time.process_time()
    broken = None
    try:
        with patience(_PATIENCE_SECONDS):
            content = seed.read(data)
        outcome = f"{seed.kind}: opened"
        if isinstance(content, bytes) and content not in _SIGNED:
            broken = "content that nobody signed"
    except DirectError as error:
        outcome = f"{seed.kind}: {type(error).__name__}"
    except (Exception, WithoutEnd) as error:  # the claim is that there is none
        outcome, broken = f"{seed.kind}: {type(error).__name__}", repr(error)
    seconds = time.process_time() - started
    if broken is None and seconds > MOST_SECONDS:
        broken = f"{seconds:.1f} s"
    return Look(outcome, seconds, broken)


# ---- readers -------------------------------------------------------------------------------------


def _open(message: bytes) -> bytes:
    return open_sealed(message, keys()).content


def _open_cms(cms: bytes) -> bytes:
    head = b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return open_sealed(head + encode_base64(cms), keys()).content


def _open_entity(entity: bytes) -> bytes:
    return bytes(smime._open_signed(entity, len(entity), DEFAULT_POLICY, ())[1].content)


def _open_signature(signature: bytes) -> bytes:
    """Half of what a message is: the rest of it is not changed."""
    head = b'Content-Type: multipart/signed; boundary="x"\r\n\r\n--x\r\n'
    between = (
        b"\r\n--x\r\nContent-Type: application/pkcs7-signature\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return _open_entity(head + ENTITY + between + base64.encodebytes(signature) + b"--x--\r\n")


def _read_structure(data: bytes) -> None:
    element = ber.read(data)
    element.der()
    read_signed(data)


# ---- changes -------------------------------------------------------------------------------------

_Change = Callable[[bytearray, random.Random, Sequence[Seed]], None]


def _at(data: bytearray, chance: random.Random) -> int:
    """A position, often near the begin: there the structure is."""
    most = len(data) if chance.random() < 0.5 else min(len(data), 600)
    return chance.randrange(max(most, 1))


def _flip(data: bytearray, chance: random.Random, _: Sequence[Seed]) -> None:
    if data:
        data[_at(data, chance)] ^= 1 << chance.randrange(8)


def _set(data: bytearray, chance: random.Random, _: Sequence[Seed]) -> None:
    if data:
        interesting = (0, 1, 0x24, 0x30, 0x31, 0x7F, 0x80, 0x84, 0xA0, 0xFF, 0x0A, 0x0D, 0x3D)
        data[_at(data, chance)] = chance.choice(interesting)


def _cut(data: bytearray, chance: random.Random, _: Sequence[Seed]) -> None:
    at = _at(data, chance)
    del data[at : at + chance.choice((1, 2, 4, 16, 256, len(data)))]


def _double(data: bytearray, chance: random.Random, _: Sequence[Seed]) -> None:
    at = _at(data, chance)
    piece = bytes(data[at : at + chance.choice((1, 2, 16, 256, 2048))])
    data[at:at] = piece * chance.choice((1, 1, 2, 50))


def _splice(data: bytearray, chance: random.Random, others: Sequence[Seed]) -> None:
    other = chance.choice(others).data
    start = chance.randrange(len(other))
    at = _at(data, chance)
    piece = other[start : start + chance.choice((2, 16, 256, len(other)))]
    data[at : at + chance.choice((0, len(piece)))] = piece


def _insert(data: bytearray, chance: random.Random, _: Sequence[Seed]) -> None:
    words = (
        b"\r\n", b"\n", b"\r\n\r\n", b"\r\n--", b"--", b"\x30\x80", b"\x24\x80", b"\x00\x00",
        b"\x30\x80" * 100, b"\x04\x00" * 1000, b"Content-Type: multipart/signed\r\n",
        b"\x30\x84\xff\xff\xff\xff", b"\x02\x81\x80" + b"\xff" * 128, b"=", b"=====", b'"', b";",
    )  # fmt: skip
    at = _at(data, chance)
    data[at:at] = chance.choice(words)


_CHANGES: Final[tuple[_Change, ...]] = (_flip, _flip, _set, _set, _cut, _double, _splice, _insert)


# ---- the run -------------------------------------------------------------------------------------


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.cms", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--case", type=int, help="look at this case alone")
    arguments = parser.parse_args(given)
    if arguments.case is not None:
        print(look(arguments.case))
        return 0
    outcomes: Counter[str] = Counter()
    slowest, findings, spent = (0.0, -1), 0, 0.0
    for number in range(arguments.first, arguments.first + arguments.runs):
        seen = look(number)
        outcomes[seen.outcome] += 1
        spent += seen.seconds
        slowest = max(slowest, (seen.seconds, number))
        if seen.broken is not None:
            findings += 1
            print(f"case {number}: {seen.outcome}: {seen.broken}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{arguments.runs} inputs, {spent:.0f} s of CPU, slowest {slowest[0]:.3f} s "
        f"(case {slowest[1]}), peak {peak:.0f} MB, {findings} findings"
    )
    for outcome, count in sorted(outcomes.items()):
        print(f"  {count:7} {outcome}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
