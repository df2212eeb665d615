"""Lists of networks: read from what their owners publish, and asked by address. Pure.

A list has a kind, which says what it means when a hit comes from there:

    prefetch    pictures are fetched before anybody looks (Apple's relay): an open says nothing,
                a click says no less than from elsewhere, since people browse through it too
    proxy       pictures are fetched because a person looks (Google, Yahoo)
    scanner     a security gateway
    datacentre  servers live there, and no people
"""

import json
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal, TypeAlias, get_args

Kind = Literal["prefetch", "proxy", "scanner", "datacentre"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Network = IPv4Network | IPv6Network
_Values: TypeAlias = "array[int]"

MOST_BYTES = 32 * 1024 * 1024
MOST_RANGES = 500_000
# A range that is wider than this would make machines of whole countries: a fault of the file.
_WIDEST = {4: 8, 6: 16}
_FORMAT = 1
_HALF = 64  # an IPv6 address is kept as its upper half: no list divides a subnet (RFC 4291, 2.5.4)


class Unreadable(ValueError):
    """This is no list of networks; the message says why."""


def parse(content: bytes) -> list[Network]:
    """The ranges of a published list: JSON in any shape (AWS, Azure, Google), or lines whose first
    field is a range or an address (Apple's CSV, plain text). Raises Unreadable."""
    if len(content) > MOST_BYTES:
        raise Unreadable(f"it is larger than {MOST_BYTES >> 20} MiB")
    text = content.decode("utf-8-sig", "replace")
    if text.lstrip()[:1] in ("{", "["):
        try:
            words = _strings(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            raise Unreadable(f"it is no JSON: {type(error).__name__}") from None
    else:
        words = _first_fields(text)
    found = list(dict.fromkeys(network for word in words if (network := _network(word))))
    if not found:
        raise Unreadable("there is not one range in it")
    if len(found) > MOST_RANGES:
        raise Unreadable(f"it has more than {MOST_RANGES} ranges")
    for one in found:
        if one.prefixlen < _WIDEST[one.version]:
            raise Unreadable(f"{one} is too wide to be meant")
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _first_fields(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield line.partition("#")[0].replace(";", ",").partition(",")[0].strip().strip('"')


def _network(word: str) -> Network | None:
    # Three of four strings of a cloud's JSON are names: one look spares them the exception.
    if not word or len(word) > 43 or ("." not in word and ":" not in word):
        return None
    try:
        return ip_network(word, strict=False)
    except ValueError:
        return None


class Ranges:
    """Merged ranges of both families, asked by bisection."""

    def __init__(self, starts: Mapping[int, _Values], ends: Mapping[int, _Values]) -> None:
        self._starts, self._ends = starts, ends

    @classmethod
    def of(cls, networks: Iterable[Network]) -> "Ranges":
        """The ranges of these networks, merged where they touch."""
        spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for one in networks:
            shift = _HALF if one.version == 6 else 0
            first, last = int(one.network_address) >> shift, int(one.broadcast_address) >> shift
            spans[one.version].append((first, last))
        merged = {family: _merged(found) for family, found in spans.items()}
        return cls(
            {family: array("Q", (first for first, _ in found)) for family, found in merged.items()},
            {family: array("Q", (last for _, last in found)) for family, found in merged.items()},
        )

    def pack(self) -> bytes:
        """As bytes that load in a moment: parsing 14,000 ranges anew takes 0.3 s."""
        parts = [self._starts[4], self._ends[4], self._starts[6], self._ends[6]]
        count = array("Q", [_FORMAT, len(parts[0]), len(parts[2])])
        return b"".join(_little(one).tobytes() for one in (count, *parts))

    @classmethod
    def unpack(cls, packed: bytes) -> "Ranges":
        """What `pack` made. Raises Unreadable for anything else."""
        if len(packed) < 24 or len(packed) % 8:
            raise Unreadable("it is packed in a way that is not known")
        values = _little(array("Q", packed))
        version, four, six = values[:3]
        if version != _FORMAT or len(values) != 3 + 2 * four + 2 * six:
            raise Unreadable("it is packed in a way that is not known")
        at = 3 + 2 * four
        return cls(
            {4: values[3 : 3 + four], 6: values[at : at + six]},
            {4: values[3 + four : at], 6: values[at + six :]},
        )

    def __len__(self) -> int:
        return sum(map(len, self._starts.values()))

    def holds(self, family: int, value: int) -> bool:
        """Whether an address is in one of the ranges, as `value_of` gives it."""
        at = bisect_right(self._starts[family], value)
        return at > 0 and value <= self._ends[family][at - 1]


def _little(values: _Values) -> _Values:
    """The same numbers in the order of bytes that is stored, or back."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def value_of(address: str) -> tuple[int, int] | None:
    """The family of an address and its value; an IPv4 address in IPv6's clothes (RFC 4291, 2.5.5.2)
    is one. None for what is no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if parsed.version == 6:
        if parsed.ipv4_mapped is None:
            return 6, int(parsed) >> _HALF
        parsed = parsed.ipv4_mapped
    return 4, int(parsed)


@dataclass(frozen=True, slots=True)
class Lists:
    """Every list that is known, by name."""

    by_name: Mapping[str, tuple[Kind, Ranges]]

    def names(self, address: str) -> tuple[str, ...]:
        """The lists that know an address."""
        value = value_of(address)
        if value is None:
            return ()
        return tuple(name for name, (_, ranges) in self.by_name.items() if ranges.holds(*value))

    def kinds(self, address: str) -> frozenset[str]:
        """What those lists mean. Empty where none knows it, and where there are no lists."""
        value = value_of(address)
        if value is None:
            return frozenset()
        return frozenset(kind for kind, ranges in self.by_name.values() if ranges.holds(*value))


NONE = Lists({})


def neighbourhood(address: str) -> str:
    """The network of an address, /24 or /48: a household, an office, a rack. "" for none."""
    value = value_of(address)
    if value is None:
        return ""
    family, number = value
    return f"{family}:{number >> (8 if family == 4 else 16):x}"
