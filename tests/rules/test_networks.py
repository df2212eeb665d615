"""Lists of networks: read in every shape that owners publish, asked fast, never a guess."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.networks import Lists, Ranges, Unreadable, neighbourhood, parse, value_of

APPLE = Path(__file__).parents[3] / "shared/corpora/networks/apple-private-relay-egress.txt"


@pytest.mark.parametrize(
    "content",
    [
        b"192.0.2.0/24\n2001:db8::/45\n",
        b"\xef\xbb\xbf# a comment\n192.0.2.0/24,NO,NO-03,Oslo,\n2001:db8::/45,US,,,\n\nnot one\n",
        b'{"prefixes": [{"ip_prefix": "192.0.2.0/24", "service": "EC2"}],'
        b' "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::/45"}], "syncToken": "1.5"}',
        b'{"values": [{"properties": {"addressPrefixes": ["192.0.2.0/24", "2001:db8::/45"]}}]}',
        b'{"prefixes": [{"ipv4Prefix": "192.0.2.0/24"}, {"ipv6Prefix": "2001:db8::/45"}]}',
    ],
)
def test_every_published_shape_is_read(content: bytes) -> None:
    assert parse(content) == [ip_network("192.0.2.0/24"), ip_network("2001:db8::/45")]


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>Not found</html>", b"{", b"0.0.0.0/0\n", b"::/0", b"[]", b"[" * 5000],
)
def test_what_is_no_list_is_refused(content: bytes) -> None:
    """An error page, or a range that makes machines of everybody, replaces no list."""
    with pytest.raises(Unreadable):
        parse(content)


nets = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)).map(
        lambda one: ip_network((one[0], one[1]), strict=False)
    ),
    st.tuples(st.integers(0, 2**64 - 1), st.integers(16, 64)).map(
        lambda one: ip_network((one[0] << 64, one[1]), strict=False)
    ),
)


@given(st.lists(nets, max_size=20), st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1))
def test_asking_is_the_same_as_looking_at_every_range(found, four, six) -> None:  # type: ignore[no-untyped-def] # hypothesis
    ranges = Ranges.unpack(Ranges.of(found).pack())
    edges = [one.network_address for one in found] + [one.broadcast_address for one in found]
    beside = [one - 1 for one in edges if int(one) > 0]
    for address in (ip_address(four), ip_address(six), *edges, *beside):
        expected = any(address in one for one in found if one.version == address.version)
        value = value_of(str(address))
        if value is not None and not str(address).startswith("::ffff:"):
            assert ranges.holds(*value) == expected


def test_an_ipv4_address_in_ipv6_clothes_is_itself() -> None:
    lists = Lists({"x": ("scanner", Ranges.of([ip_network("192.0.2.0/24")]))})
    assert lists.kinds("::ffff:192.0.2.7") == lists.kinds("192.0.2.7") == {"scanner"}
    assert lists.names("192.0.2.7") == ("x",)
    for nothing in ("", "unix:", "testclient", "300.1.1.1", "fe80::1%eth0", "192.0.3.0"):
        assert not lists.kinds(nothing)


def test_a_neighbourhood_is_no_address() -> None:
    assert neighbourhood("192.0.2.7") == neighbourhood("192.0.2.200") != neighbourhood("192.0.3.7")
    assert neighbourhood("2001:db8:1:2::3") == neighbourhood("2001:db8:1:ffff::9")
    assert neighbourhood("2001:db8:1::") != neighbourhood("2001:db8:2::")
    assert neighbourhood("nowhere") == ""


@pytest.mark.parametrize("packed", [b"", b"1234567", b"\0" * 24, b"\1" + b"\0" * 7 + b"\xff" * 16])
def test_a_strange_packing_is_refused(packed: bytes) -> None:
    with pytest.raises(Unreadable):
        Ranges.unpack(packed)


@pytest.mark.corpus
def test_apples_ranges_are_all_read() -> None:
    found = parse(APPLE.read_bytes())
    lists = Lists({"apple": ("prefetch", Ranges.of(found))})
    assert len(found) == 13_745
    for one in found[::50]:
        assert lists.kinds(str(one.network_address)) == {"prefetch"}
    assert not lists.kinds("192.0.2.1")
