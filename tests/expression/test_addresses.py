import socket

import pytest

from sinchflow.expression.addresses import Reach, is_misspelt, literal_address, to_allow

FORMS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f.1", "0x7F000001", "017700000001", "0177.0.0.1", "1.2.3.4.5",
    "256.1.1.1", "1.256", "1.65536", "1.2.65536", "1.16777216", "4294967295", "4294967296", "08.1", "0x", "0xg", "0",
    "00", "1..2", ".1", "1.", "acme.example", "a", "-1", "+1", "1_0", "0x1.0x2.0x3.0x4",
]  # fmt: skip


@pytest.mark.parametrize("host", FORMS)
def test_short_forms_are_read_as_the_system_reads_them(host):
    try:
        expected = socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))
    except OSError:
        expected = None
    assert literal_address(host) == (host if expected == host else expected)


@pytest.mark.parametrize(
    ("host", "address", "allow", "permitted"),
    [
        ("93.184.216.34", "93.184.216.34", [], True),
        ("10.0.0.1", "10.0.0.1", [], False),
        ("10.0.0.1", "10.0.0.1", ["10.0.0.0/8"], True),
        ("169.254.169.254", "169.254.169.254", [], False),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", [], False),
        ("::1", "::1", ["::1"], True),
        ("crm.internal", "10.0.0.1", ["CRM.internal"], True),
    ],
)
def test_private_addresses_are_permitted_only_where_they_are_named(host, address, allow, permitted):
    assert Reach(allow).permits(host, address) == permitted


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::10.0.0.1", "fe80::1", "::1"]
)
def test_what_is_said_to_be_allowed_allows_the_address(address):
    assert not Reach().permits(address, address)
    assert Reach([to_allow(address)]).permits(address, address)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:0:127.0.0.1", "fec0::1", "4000::1", "1::1", "2001:0:7f00:1::", "3fff::1", "64:ff9b:1::a00:1", "ff0e::1",
        "192.0.0.192", "192.88.99.1", "168.63.129.16", "100.64.0.1", "240.0.0.1", "198.18.0.1",
    ],
)  # fmt: skip
def test_what_nobody_serves_the_public_from_is_not_public(address):
    assert not Reach().permits("any.example", address)
    assert Reach([address]).permits("any.example", address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_public_addresses_need_no_leave(address):
    assert Reach().permits("any.example", address)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("1.2.3.4.5", True), ("256.1.1.1", True), ("08.1", True), ("0x.", True), ("9" * 30, True), ("a.1", True),
        ("127.1", False), ("1.2.3.4", False), ("::1", False), ("a.example", False), ("1a", False), ("", False),
    ],
)  # fmt: skip
def test_host_that_ends_in_a_number_is_an_address_or_nothing(host, is_one):
    assert is_misspelt(host) is is_one
