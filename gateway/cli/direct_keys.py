"""`gateway direct keys`: our own certificates for Direct, and which of them signs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from rich.table import Table

from gateway.cli.groups import group
from gateway.cli.opening import ConfigOption, PlanOption, opened, plan_of
from gateway.cli.recording import record, record_look, refusal
from gateway.cli.terminal import Exit, Failure, err, out, printable
from gateway.store import direct_keys
from gateway.store.direct_keys import PrivateKey, UnusableKey, read_key_pair
from gateway.store.transaction import Transaction

direct_keys_app = group("Our own keys for Direct mail.")
_DATE = "%Y-%m-%d"


@direct_keys_app.command("import")
def import_key(
    owner: Annotated[str, typer.Argument(help="Our domain, or one address of it.")],
    file: Annotated[Path, typer.Argument(help="PKCS #12, or key and certificates in one PEM.")],
    password_file: Annotated[Path | None, typer.Option(help="Holds its password.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Only decrypt with it until `use` says from when.")
    ] = False,
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """Take up a key; it opens mail at once, and signs from now on unless it is to wait."""
    now = datetime.now(UTC)
    with opened(config) as house:
        key, certificate, others = _read(file, password_file)
        own = plan_of(house, plan).id
        try:
            sealed = direct_keys.seal_key(
                house.archive.blobs.keys,
                plan=own,
                owner=owner,
                key=key,
                certificates=(certificate, *others),
                now=now,
                since=None if wait else now,
            )
        except UnusableKey as error:
            raise Failure(str(error), Exit.USAGE) from None

        def unit(transaction: Transaction) -> bool:
            is_new = direct_keys.put(transaction, sealed)
            if is_new:
                reason = f"Direct certificate {sealed.fingerprint}"
                record(transaction, "CLI-DIRECT-KEYS-IMPORT", plan=own, reason=reason)
            return is_new

        if not house.database.write(unit):
            reason = "this certificate was imported before"
            raise refusal(house, "CLI-DIRECT-KEYS-IMPORT", plan=own, reason=reason)
        mail = house.settings.mail
        domains = () if mail is None else {domain.name for domain in mail.domains}
    out.print(sealed.fingerprint)
    if owner.rpartition("@")[2].lower() not in domains:
        err.print(
            f"gateway: warning: {printable(owner)} is of no domain in [[mail.domains]]:"
            " as long as it is not, no mail is opened or signed with this key"
        )


def _read(
    file: Path, password_file: Path | None
) -> tuple[PrivateKey, x509.Certificate, tuple[x509.Certificate, ...]]:
    try:
        secret = None if password_file is None else password_file.read_bytes().rstrip(b"\r\n")
        return read_key_pair(file.read_bytes(), secret)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}", Exit.USAGE) from None
    except UnusableKey as error:
        how = "" if password_file else "; --password-file names a file with its password"
        raise Failure(f"{file} is not usable: {error}{how}", Exit.USAGE) from None


@direct_keys_app.command("use")
def use_key(
    owner: Annotated[str, typer.Argument(help="Our domain, or one address of it.")],
    fingerprint: Annotated[str, typer.Argument(help="Of the imported certificate.")],
    since: Annotated[
        datetime | None, typer.Option("--from", formats=[_DATE], help="In UTC; now if left out.")
    ] = None,
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """Sign with an imported key from a moment on; those before it still decrypt."""
    moment = datetime.now(UTC) if since is None else since.replace(tzinfo=UTC)
    with opened(config) as house:
        own = plan_of(house, plan).id

        def unit(transaction: Transaction) -> bool:
            found = direct_keys.use_from(
                transaction, plan=own, owner=owner, fingerprint=fingerprint, since=moment
            )
            if found:
                reason = f"Direct certificate {fingerprint} from {moment.isoformat()}"
                record(transaction, "CLI-DIRECT-KEYS-USE", plan=own, reason=reason)
            return found

        if not house.database.write(unit):
            reason = "there is no such key of this owner"
            raise refusal(house, "CLI-DIRECT-KEYS-USE", plan=own, reason=reason)
    out.print(f"{fingerprint} signs from {moment.isoformat(timespec='seconds')}")


@direct_keys_app.command("list")
def list_keys(plan: PlanOption = None, config: ConfigOption = None) -> None:
    """Every key, and from when it signs."""
    with opened(config) as house:
        own = plan_of(house, plan).id
        found = house.database.read(lambda tx: direct_keys.list_all(tx, plan=own))
        record_look(house, "CLI-DIRECT-KEYS", plan=own)
    table = Table("owner", "sha256", "expires", "signs from")
    for key in found:
        table.add_row(
            key.owner,
            key.fingerprint,
            key.certificate.not_valid_after_utc.strftime(_DATE),
            key.since.isoformat(timespec="seconds") if key.since else "waits",
        )
    out.print(table if found else "None.")
