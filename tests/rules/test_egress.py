"""Which receivers are refused: a table of addresses, and one of ways to write them."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import egress
from orchestrator.rules.egress import Allowed, Refused


def lines(text: str) -> list[str]:
    """The words of a block."""
    return text.split()


DENIED = lines("""
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.255
169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1
198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1
100::1 2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1
3fff::1 4000::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%1 fec0::1 ff02::1
""")
PUBLIC = lines("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 128.0.0.1 169.253.255.255
172.15.255.255 172.32.0.0 192.0.3.0 192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255
2001:4860:4860::8888 2606:4700::1111 2a00:1450::1
""")


@pytest.mark.parametrize("text", DENIED)
def test_addresses_that_are_not_public_are_denied(text: str) -> None:
    assert egress.denied(ip_address(text))
    assert egress.refusal("https", 443, ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_open_on_https_and_few_ports(text: str) -> None:
    address = ip_address(text)
    assert egress.refusal("https", 443, address) is None
    assert egress.refusal("https", 8443, address) is None
    for port in (22, 25, 80, 6379, 5432, 8400):
        assert egress.refusal("https", port, address)
    assert egress.refusal("http", 80, address)
    assert egress.refusal("http", 443, address)


@given(st.ip_addresses())
def test_what_python_holds_for_private_is_denied(address: egress.Address) -> None:
    # ipaddress knows IANA's registries, too; whatever it calls not global is denied here.
    if not address.is_global:
        assert egress.denied(address)


@pytest.mark.parametrize(
    "url",
    lines("""
    http://2130706433/ https://2130706433/ https://0x7f000001/ https://0x7f.1/ https://0177.0.0.1/
    https://127.1/ https://017700000001/ https://127.0.0.01/ https://1.2.3/ https://256.1.1.1/
    https://user@hook.example/ https://user:word@hook.example/ https://hook.example@127.0.0.1/
    https://hook.example\\@127.0.0.1/ https://hook.example:0/ https://hook.example:99999/
    https://hook.example:x/ https://[fe80::1%25eth0]/ https://[::1 https://[127.0.0.1]/ https:///x
    https://.../ https://-a.example/ https://a..b/ https://hook.example/#part ftp://hook.example/
    file:///etc/passwd gopher://hook.example/ javascript:alert(1) //hook.example/ hook.example
    https://hook%2eexample/ https://ⓛocalhost/ https://１２７.0.0.1/ https://ex\u00adample.org/
    https://a:b:c/ https://host.0x7f/
    """),
)
def test_what_two_readers_could_read_differently_is_no_receiver(url: str) -> None:
    with pytest.raises(Refused):
        egress.target(url)


@pytest.mark.parametrize(
    "url", ["https://a.example/ x", "https://a.example/\r\nx", " https://a", ""]
)
def test_white_space_is_no_part_of_a_receiver(url: str) -> None:
    with pytest.raises(Refused):
        egress.target(url)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://Hook.Example", "https://hook.example/"),
        ("HTTPS://hook.example:443/a?b=c", "https://hook.example/a?b=c"),
        ("https://hook.example.:8443/", "https://hook.example:8443/"),
        ("https://[2606:4700:0::1111]/x", "https://[2606:4700::1111]/x"),
        ("https://[::FFFF:127.0.0.1]:8443/", "https://[::ffff:7f00:1]:8443/"),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000/"),
    ],
)
def test_a_url_has_one_spelling(url: str, same: str) -> None:
    assert egress.target(url).url == same
    assert egress.target(same).url == same


def test_one_private_address_refuses_the_name() -> None:
    where = egress.target("https://hook.example/")
    assert egress.check(where, ["1.1.1.1", "2606:4700::1111", "1.1.1.1"]) == (
        ip_address("1.1.1.1"),
        ip_address("2606:4700::1111"),
    )
    for addresses in (["1.1.1.1", "10.0.0.1"], ["::ffff:127.0.0.1"], [], ["garbage"]):
        with pytest.raises(Refused):
            egress.check(where, addresses)


def test_the_operator_can_open_addresses_and_only_those() -> None:
    allow = egress.parse_allowed("10.2.0.0/16, 127.0.0.1:9000,[::1]:9000, fd00::/8")
    assert allow[1] == Allowed(ip_network("127.0.0.1/32"), 9000)
    opened = [("http", 9000, "127.0.0.1"), ("https", 1, "10.2.3.4"), ("http", 9000, "::1"),
              ("https", 443, "fd00::7")]  # fmt: skip
    for scheme, port, address in opened:
        assert egress.refusal(scheme, port, ip_address(address), allow) is None
    shut = [("http", 9001, "127.0.0.1"), ("http", 9000, "127.0.0.2"), ("https", 443, "10.3.0.1"),
            ("https", 443, "::ffff:10.2.0.1"), ("http", 80, "1.1.1.1")]  # fmt: skip
    for scheme, port, address in shut:
        assert egress.refusal(scheme, port, ip_address(address), allow)


def test_the_sandbox_reaches_loopback_and_nothing_else() -> None:
    allow = egress.parse_allowed("", sandbox=True)
    assert egress.refusal("http", 4711, ip_address("127.0.0.1"), allow) is None
    assert egress.refusal("http", 4711, ip_address("::1"), allow) is None
    assert egress.refusal("http", 4711, ip_address("10.0.0.1"), allow)
    assert egress.parse_allowed("") == ()


@pytest.mark.parametrize(
    "listed", ["localhost", "10.0.0.1/8", "127.0.0.1:0", "127.0.0.1:x", "[::1"]
)
def test_an_entry_that_cannot_be_read_is_told(listed: str) -> None:
    if listed == "[::1":
        listed = "[::1:99999999"
    with pytest.raises(ValueError, match="AVTALE_EGRESS_ALLOW"):
        egress.parse_allowed(listed)
