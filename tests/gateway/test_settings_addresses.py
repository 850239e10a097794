"""Private addresses of the settings: the same host and port, however either side is written."""

from ipaddress import ip_address

import pytest

from gateway.settings_addresses import PrivateAddresses


@pytest.mark.parametrize(
    ("stated", "address"),
    [
        ("127.0.0.1:8080", "127.0.0.1"),
        ("127.0.0.1:08080", "127.0.0.1"),
        ("127.0.0.1:8080", "::ffff:127.0.0.1"),
        ("[::FFFF:7F00:1]:8080", "127.0.0.1"),
        ("0:0:0:0:0:0:0:1:8080", "::1"),
        ("::1:8080", "::1"),
        ("[::1]:8080", "::1"),
        ("[FD00:0:0::0A]:8080", "fd00::a"),
    ],
)
def test_a_host_and_a_port_are_met_in_any_spelling(stated: str, address: str) -> None:
    allowed = PrivateAddresses.of([stated])
    assert allowed.allow(ip_address(address), 8080)
    assert not allowed.allow(ip_address(address), 8081)
    assert not allowed.allow(ip_address("127.0.0.2"), 8080)
