"""`gateway keys`: key pairs of our own, and the change from one to the next without a restart.

new (a private key) → csr (for the network's authority) → import (the certificate it gave; partners
are told of it) → rotate (used from that date on). Both pairs live until the old one goes.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import orjson
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from rich.table import Table

from gateway.app.house import House
from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, JsonOption, opened
from gateway.cli.recording import record, record_look, refusal
from gateway.cli.terminal import Exit, Failure, out
from gateway.model.trust import certificate as certificate_of
from gateway.settings import InvalidSettings, KeyPair
from gateway.store import own_keys
from gateway.store.key_file import add_key
from gateway.store.keys import KeyRing
from gateway.store.own_keys import KeyUsage, OwnKey
from gateway.store.transaction import Transaction

keys_app = group("Our own keys, and how one follows another.")

UsageArgument = Annotated[KeyUsage, typer.Argument(help="tls or signing.")]
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
_Kind = Literal["p256", "p384", "rsa3072", "rsa4096"]


@keys_app.command("new")
def new_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; it must not exist.")],
    kind: Annotated[_Kind, typer.Option(help="Its kind and size.")] = "rsa3072",
) -> None:
    """A new private key, readable by its owner alone."""
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if kind.startswith("rsa"):
        made = rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    else:
        made = ec.generate_private_key(ec.SECP256R1() if kind == "p256" else ec.SECP384R1())
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise Failure(f"{file} cannot be made: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as opened_file:
        opened_file.write(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    out.print(f"{file}; `gateway keys csr` asks for its certificate")


@keys_app.command("csr")
def request_certificate(
    key: Annotated[Path, typer.Argument(help="The private key.")],
    common_name: Annotated[str, typer.Option(help="The subject's name, or the host's.")],
    organization: Annotated[str | None, typer.Option(help="The subject's organization.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="A host name; repeatable.")] = None,
) -> None:
    """Print a request (PKCS #10) for the key's certificate, to be sent to the network's CA."""
    try:
        loaded = load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        raise Failure(f"{key} cannot be read: {error.strerror}", Exit.USAGE) from None
    except (ValueError, TypeError):
        raise Failure(f"{key} is no private key in PEM without a password", Exit.USAGE) from None
    if not isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise Failure(f"{key} is neither RSA nor EC", Exit.USAGE)
    named = [(NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name)]
    try:
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in named if text])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        if host:
            names = x509.SubjectAlternativeName([x509.DNSName(one) for one in host])
            builder = builder.add_extension(names, critical=False)
    except ValueError as error:
        raise Failure(f"the names are not usable: {error}", Exit.USAGE) from None
    typer.echo(builder.sign(loaded, hashes.SHA256()).public_bytes(Encoding.PEM).decode(), nl=False)


@keys_app.command("import")
def import_key(
    usage: UsageArgument,
    certificate: Annotated[Path, typer.Argument(help="The certificate (chain), PEM.")],
    key: Annotated[Path, typer.Argument(help="Its private key, PEM.")],
    config: ConfigOption = None,
) -> None:
    """Take up a key pair that will follow the present one; it is not used yet."""
    files = KeyPair(certificate=certificate.resolve(), key=key.resolve())
    now = datetime.now(UTC)
    with opened(config) as house:

        def unit(transaction: Transaction) -> OwnKey | None:
            if own_keys.load_key_pair(files, usage).certificate.not_valid_after_utc < now:
                raise InvalidSettings(
                    f"{certificate} has expired: ask the network's CA for another"
                )
            made = own_keys.put(transaction, usage, files, now=now)
            if made is not None:
                reason = f"{usage} certificate {made.fingerprint}"
                record(transaction, "CLI-KEYS-IMPORT", plan=None, reason=reason)
            return made

        try:
            made = house.database.write(unit)
        except InvalidSettings as error:
            raise Failure(str(error), Exit.USAGE) from None
        if made is None:
            reason = "this certificate was imported before"
            raise refusal(house, "CLI-KEYS-IMPORT", plan=None, reason=reason)
    out.print(f"{made.fingerprint}")
    out.print("give partners its certificate; then `gateway keys rotate` says from when it is used")


@keys_app.command("rotate")
def rotate(
    usage: Annotated[
        Literal["tls", "signing", "data"],
        typer.Argument(help="tls or signing; data is the key that seals what is stored."),
    ],
    fingerprint: Annotated[
        str | None, typer.Argument(help="Of the imported certificate; the newest if not named.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=_MOMENTS, help="In UTC; now if not named."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Use an imported pair from a moment on; running gateways need no restart."""
    with opened(config) as house:
        if usage == "data":
            _rotate_data(house)
            return
        moment = datetime.now(UTC) if since is None else since.replace(tzinfo=UTC)
        used = house.database.write(lambda tx: _use(tx, usage, fingerprint, moment))
    if used is None:
        raise Failure("no such pair was imported; see `gateway keys list`")
    out.print(f"{usage} uses {used} from {moment.isoformat(timespec='seconds')}")


def _use(
    transaction: Transaction, usage: KeyUsage, fingerprint: str | None, since: datetime
) -> str | None:
    known = own_keys.list_all(transaction, usage)
    chosen = next((one for one in reversed(known) if fingerprint in (None, one.fingerprint)), None)
    if chosen is None:
        record(transaction, "CLI-KEYS-ROTATE", plan=None, outcome="refused", reason="no such pair")
        return None
    own_keys.use_from(transaction, usage, fingerprint=chosen.fingerprint, since=since)
    reason = f"{usage} certificate {chosen.fingerprint} from {since.isoformat()}"
    record(transaction, "CLI-KEYS-ROTATE", plan=None, reason=reason)
    return chosen.fingerprint


def _rotate_data(house: House) -> None:
    """A new key-encryption key; the old ones stay in the file for backups made before."""
    add_key(house.settings.key_file)
    sealed = KeyRing(house.settings.key_file, house.database).rewrap()
    reason = f"{sealed} plan keys sealed under a new key"
    house.database.write(lambda tx: record(tx, "CLI-KEYS-ROTATE", plan=None, reason=reason))
    out.print(reason)


@keys_app.command("list")
def list_keys(
    pem: Annotated[bool, typer.Option("--pem", help="Print certificates, for partners.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """All our certificates: in use, to be used, and waiting."""
    with opened(config) as house:
        found = [line for usage in own_keys.USAGES for line in _listed(house, usage)]
        record_look(house, "CLI-KEYS", plan=None)
    if pem:
        for text in dict.fromkeys(line["pem"] for line in found):
            typer.echo(text, nl=False)
        return
    if json:
        for line in found:
            shown = {key: value for key, value in line.items() if key != "pem"}
            typer.echo(orjson.dumps(shown).decode())
        return
    table = Table("use", "state", "from", "expires", "subject", "fingerprint")
    for line in found:
        table.add_row(*(line[name] or "" for name in _COLUMNS))
    out.print(table)


_COLUMNS = ("usage", "state", "since", "expires", "subject", "fingerprint")


def _listed(house: House, usage: KeyUsage) -> list[dict[str, str]]:
    first = getattr(house.settings, usage)
    if first is None:
        return []
    used = own_keys.OwnKeys(usage, first, house.database).current()
    known = house.database.read(lambda tx: own_keys.list_all(tx, usage))
    now = datetime.now(UTC)
    lines = []
    for files, since in [(first, None), *((one.files, one.since) for one in known)]:
        text = own_keys.certificate_text(files, usage)
        read = certificate_of(text)
        coming = since is not None and since > now
        waiting = files != first and since is None
        state = "in use" if files == used else "comes" if coming else "waits"
        lines.append(
            {
                "usage": usage,
                "state": state if files == used or coming or waiting else "was used",
                "since": since.isoformat(timespec="seconds") if since else "",
                "expires": read.not_valid_after_utc.date().isoformat(),
                "subject": read.subject.rfc4514_string(),
                "fingerprint": read.fingerprint(hashes.SHA256()).hex(),
                "pem": text if text.endswith("\n") else f"{text}\n",
            }
        )
    return lines
