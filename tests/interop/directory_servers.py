"""NSD and OpenLDAP on loopback, with what a test gives them to say."""

import base64
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query

from direct import ldap
from tests.installs import Unavailable
from tests.interop import debian
from tests.interop.peer import free_port

START_SECONDS = 30


def servers() -> Path:
    """The folder with nsd, slapd, dig and ldapsearch.

    Raises:
        Unavailable: they could not be had.
    """
    return debian.unpacked("nsd", "slapd", "ldap-utils", "bind9-dnsutils")


@contextmanager
def name_server(folder: Path, zones: Mapping[str, str]) -> Iterator[int]:
    """NSD with these zones, each a text of a zone file; gives its port."""
    root, port = servers(), free_port()
    lines = [
        "server:", "  ip-address: 127.0.0.1", f"  port: {port}", '  username: ""', '  chroot: ""',
        f'  zonesdir: "{folder}"', '  database: ""', f'  pidfile: "{folder / "nsd.pid"}"',
        f'  xfrdfile: "{folder / "xfrd"}"', f'  zonelistfile: "{folder / "zones.list"}"',
        f'  xfrdir: "{folder}"', f'  logfile: "{folder / "nsd.log"}"', "  server-count: 1",
        "remote-control:", "  control-enable: no",
    ]  # fmt: skip
    for name, text in zones.items():
        (folder / f"{name}.zone").write_text(text, encoding="ascii")
        lines += ["zone:", f"  name: {name}", f"  zonefile: {name}.zone"]
    (folder / "nsd.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [str(root / "usr/sbin/nsd"), "-d", "-c", str(folder / "nsd.conf")]
    with _running(command, folder / "nsd.out"):
        query = dns.message.make_query(next(iter(zones)), "SOA")
        _wait_for(lambda: dns.query.tcp(query, "127.0.0.1", port=port, timeout=1), folder)
        yield port


@contextmanager
def directory_server(folder: Path, ldif: str, *, suffix: str) -> Iterator[int]:
    """slapd with these entries, below one suffix; gives its port."""
    root, port = servers(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir()
    schemas = root / "etc/ldap/schema"
    lines = [
        *(f"include {schemas / name}.schema" for name in ("core", "cosine", "inetorgperson")),
        f"pidfile {folder / 'slapd.pid'}", f"modulepath {root / 'usr/lib/ldap'}",
        "moduleload back_mdb", "database mdb", "maxsize 16777216", f'suffix "{suffix}"',
        f"directory {folder / 'data'}", "index mail eq",
    ]  # fmt: skip
    (folder / "slapd.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "entries.ldif").write_text(ldif, encoding="utf-8")
    configured = ["-f", str(folder / "slapd.conf")]
    loaded = subprocess.run(
        [str(root / "usr/sbin/slapadd"), *configured, "-l", str(folder / "entries.ldif")],
        env=debian.environment(root), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr[-3000:]
    command = [str(root / "usr/sbin/slapd"), "-d", "0", "-h", f"ldap://127.0.0.1:{port}/"]
    with _running([*command, *configured], folder / "slapd.out"):
        _wait_for(lambda: ldapsearch(port, "", "(objectClass=*)", scope="base"), folder)
        yield port


def entry(context: str, name: str, mail: str, *certificates: bytes, binary: bool = True) -> str:
    """An inetOrgPerson with certificates, as LDIF."""
    kind = "userCertificate;binary" if binary else "userCertificate"
    lines = [f"dn: cn={name},{context}", "objectClass: inetOrgPerson", f"cn: {name}", "sn: x"]
    lines.append(f"mail: {mail}")
    lines += [f"{kind}:: {base64.b64encode(one).decode()}" for one in certificates]
    return "\n".join(lines) + "\n\n"


def dig(port: int, name: str, kind: str, *more: str) -> str:
    """What dig prints of the answer."""
    root = servers()
    command = [root / "usr/bin/dig", "@127.0.0.1", "-p", str(port), *more, name, kind]
    return _said([str(word) for word in command], root)


def ldapsearch(port: int, base: str, wanted: str, *attributes: str, scope: str = "sub") -> str:
    """The LDIF that OpenLDAP's ldapsearch prints, unfolded."""
    root = servers()
    command = [
        str(root / "usr/bin/ldapsearch"), "-x", "-LLL", "-o", "ldif-wrap=no",
        "-H", f"ldap://127.0.0.1:{port}/", "-b", base, "-s", scope, wanted, *attributes,
    ]  # fmt: skip
    return _said(command, root)


def _said(command: Sequence[str], root: Path) -> str:
    result = subprocess.run(
        command, env=debian.environment(root), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    if result.returncode not in (ldap.SUCCESS, ldap.NO_SUCH_OBJECT):
        raise OSError(result.stderr[-1000:])
    return result.stdout


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=debian.environment(servers()), stdout=out, stderr=out
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(asked: object, folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            asked()  # type: ignore[operator]
            return
        except Exception as error:
            if time.monotonic() > deadline:
                logs = "\n".join(
                    one.read_text(errors="replace")[-1500:]
                    for one in (*folder.glob("*.out"), *folder.glob("*.log"))
                )
                raise Unavailable(f"a server did not start: {error}\n{logs}") from error
            time.sleep(0.1)
