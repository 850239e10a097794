"""Which addresses other machines reach (DECISIONS 7)."""

from ipaddress import ip_address

from gateway.settings import InvalidSettings


def is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_loopback(address: str, name: str) -> None:
    if not is_loopback(address):
        raise InvalidSettings(f"[listen] {name} must be a loopback address")
