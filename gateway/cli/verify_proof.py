#!/usr/bin/env python3
"""Checks a proof of the exchange log, with the standard library alone.

    python3 verify_proof.py PROOF.json LOG-KEY

PROOF.json is what `gateway audit prove` printed, LOG-KEY what `gateway audit key` printed: have it
from another source than the proof. Exit 0: the record stood in the log when the checkpoint was
signed, word for word. Exit 1: that is not proven, with the reason.

RFC 6962: 2.1 (the tree), RFC 8032: 5.1 (Ed25519), C2SP tlog-checkpoint (the signed note).
"""

import base64
import hashlib
import json
import sys
from typing import Any

Point = tuple[int, int, int, int]

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_1 = pow(2, (PRIME - 1) // 4, PRIME)


class NotProven(Exception):
    """The text says why."""


def check(proof: dict[str, Any], key_text: str) -> str:
    """What the proof shows, as a sentence; raises NotProven."""
    name, hint, encoded = key_text.strip().split("+", 2)
    public = base64.b64decode(encoded, validate=True)
    own_hint = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    if public[:1] != b"\x01" or len(public) != 33 or own_hint.hex() != hint:
        raise NotProven("that is no key of a log")
    sequence = proof["sequence"]
    if type(sequence) is not int:  # half a number, or a truth, would name a record that is none
        raise NotProven("the record's number is not one")
    size, root = signed(proof["checkpoint"], name, own_hint, public[1:])
    leaf = hashlib.sha256(b"\x00" + proof["record"].encode()).digest()
    path = [bytes.fromhex(node) for node in proof["path"]]
    if climb(leaf, sequence - 1, size, path) != root:
        raise NotProven("the record is not in the log that the checkpoint is of")
    return f"record {sequence} is in the log of {name}, which had {size} records"


def signed(note: str, name: str, hint: bytes, public: bytes) -> tuple[int, bytes]:
    """Size and root of the checkpoint, its signature checked."""
    body, _, signatures = note.rpartition("\n\n")
    body += "\n"
    for line in signatures.splitlines():
        if line.startswith(f"\u2014 {name} "):
            found = base64.b64decode(line.rpartition(" ")[2], validate=True)
            if found[:4] == hint and is_signature(found[4:], body.encode(), public):
                lines = body.split("\n")
                if lines[0] != name:
                    raise NotProven("the checkpoint is of another log")
                return int(lines[1]), base64.b64decode(lines[2], validate=True)
    raise NotProven("the checkpoint is not signed by this key")


def climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """The root that the path leads to; None if it is no path of a tree of that size."""
    if not 0 <= index < size:
        return None
    found, last, nodes = leaf, size - 1, list(path)
    while last:
        if index % 2 or index < last:
            if not nodes:
                return None
            node = nodes.pop(0)
            pair = node + found if index % 2 else found + node
            found = hashlib.sha256(b"\x01" + pair).digest()
        index, last = index // 2, last // 2
    return None if nodes else found


# ---- Ed25519 ---------------------------------------------------------------------------------


def is_signature(signature: bytes, message: bytes, public: bytes) -> bool:
    """Whether the signature is that of the key over the message."""
    if len(signature) != 64:
        return False
    key, nonce = point(public), point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    base = point((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))
    if key is None or nonce is None or base is None or scalar >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    factor = int.from_bytes(digest, "little") % ORDER
    return same(times(scalar, base), plus(nonce, times(factor, key)))


def point(encoded: bytes) -> Point | None:
    """The point in extended coordinates; None if it is not on the curve."""
    sign, y = encoded[31] >> 7, int.from_bytes(encoded, "little") & (2**255 - 1)
    if y >= PRIME:
        return None
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * ROOT_OF_MINUS_1 % PRIME
    if (x * x - square) % PRIME or (not x and sign):
        return None
    if x % 2 != sign:
        x = PRIME - x
    return x, y, 1, x * y % PRIME


def plus(one: Point, other: Point) -> Point:
    """The sum of two points."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % PRIME
    b = (one[1] + one[0]) * (other[1] + other[0]) % PRIME
    c = 2 * one[3] * other[3] * CURVE_D % PRIME
    d = 2 * one[2] * other[2] % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


def times(scalar: int, one: Point) -> Point:
    """The point so many times."""
    found = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            found = plus(found, one)
        one, scalar = plus(one, one), scalar >> 1
    return found


def same(one: Point, other: Point) -> bool:
    """Whether both are one point."""
    return not (
        (one[0] * other[2] - other[0] * one[2]) % PRIME
        or (one[1] * other[2] - other[1] * one[2]) % PRIME
    )


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as file:
            proof = json.load(file)
        with open(arguments[1], encoding="utf-8") as file:
            print(check(proof, file.read()))
    except (NotProven, OSError) as reason:
        print(f"not proven: {reason}", file=sys.stderr)
        return 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        print("not proven: the proof or the key cannot be read", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
