"""Which addresses a webhook may reach: URL in, refusal in words out. Pure.

A receiver is a name that a customer typed. What it resolves to is checked address by address, and
the connection goes to the address that was checked (`orchestrator.egress`), so that a name cannot
answer with one address to the check and with another to the connection.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = frozenset({443, 8443})
MOST_CHARACTERS = 2000

# IANA's registry of special-purpose IPv4 addresses, with multicast and what is reserved.
_DENIED_4 = tuple(
    IPv4Network(one)
    for one in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # between a provider and its customers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # class E and broadcast
    )
)
# Global unicast is all that IPv6 is let through for: loopback, mapped and compatible IPv4, NAT64,
# discard, ULA, site-local, link-local and multicast lie outside of it.
_GLOBAL_6 = IPv6Network("2000::/3")
_DENIED_6 = tuple(
    IPv6Network(one)
    for one in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Refused(ValueError):
    """This receiver must not be reached; the message says why."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that the operator opens although they are denied, at one port or at any."""

    network: Network
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once: what is connected to is built from these parts, never parsed again.

    `host` is a name or an address, in lower case, without brackets.
    """

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @property
    def netloc(self) -> str:
        """The value of the header `Host` (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default(self.scheme) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in its one spelling."""
        return f"{self.scheme}://{self.netloc}{self.path}"


def _default(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def parse_allowed(listed: str, *, sandbox: bool = False) -> tuple[Allowed, ...]:
    """`AVTALE_EGRESS_ALLOW`: addresses or networks, comma-separated, each with a port if wanted:
    `10.2.0.0/16, 127.0.0.1:9000, [::1]:9000`. The sandbox may always reach loopback.

    Raises ValueError in words for an entry that is none.
    """
    found = [_entry(one.strip()) for one in listed.split(",") if one.strip()]
    if sandbox:
        found += [Allowed(network) for network in _LOOPBACK]
    return tuple(found)


def _entry(text: str) -> Allowed:
    bare, port = text, ""
    if text.startswith("["):
        bare, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        bare, _, port = text.partition(":")
    try:
        if port and not 0 < int(port) < 65536:
            raise ValueError
        return Allowed(ip_network(bare), int(port) if port else None)
    except ValueError:
        raise ValueError(
            f"`{text}` in AVTALE_EGRESS_ALLOW is no address or network: write 10.2.0.0/16, "
            "127.0.0.1:9000 or [::1]:9000"
        ) from None


def target(url: str) -> Target:
    """Take a URL apart. Raises Refused for whatever two readers could read in two ways."""
    if len(url) > MOST_CHARACTERS:
        raise Refused(f"a receiver's URL has at most {MOST_CHARACTERS} characters")
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise Refused(
            "a URL holds ASCII without spaces and backslashes: write a name in its xn-- form"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("this is no URL: write https://receiver.example/path") from None
    if parts.scheme not in ("https", "http"):
        raise Refused("a receiver's URL begins with https://")
    if "@" in parts.netloc:
        raise Refused("a URL with a user or password is refused: the signature is what proves us")
    if "#" in url:
        raise Refused("a URL with # is refused: what follows it never reaches a server")
    host = _host(parts.netloc, parts.hostname or "")
    if port == 0:
        raise Refused("there is no port 0")
    query = f"?{parts.query}" if parts.query else ""
    return Target(parts.scheme, host, port or _default(parts.scheme), (parts.path or "/") + query)


def _host(netloc: str, host: str) -> str:
    if netloc.startswith("["):
        try:
            address = IPv6Address(host)
        except ValueError:
            raise Refused("this is no IPv6 address") from None
        if address.scope_id is not None:
            raise Refused("an address with a zone is none that others can reach")
        return str(address)
    if ":" in host or "%" in host:
        raise Refused("this is no host name")
    name = host.removesuffix(".")
    labels = name.split(".")
    # "2130706433", "0x7f.1" and "0177.0.0.1" are addresses to some readers (WHATWG URL, 3.5).
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(name))
        except ValueError:
            raise Refused("an IPv4 address is four decimal numbers without leading zeros") from None
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(one) for one in labels):
        raise Refused("this is no host name")
    return name


def denied(address: Address) -> bool:
    """Whether `address` is anything but a public one. Unknown kinds of address are denied."""
    if isinstance(address, IPv4Address):
        return any(address in network for network in _DENIED_4)
    if address.scope_id is not None or address not in _GLOBAL_6:
        return True
    return any(address in network for network in _DENIED_6)


def refusal(scheme: str, port: int, address: Address, allow: Iterable[Allowed] = ()) -> str | None:
    """Why this address must not be connected to; None when it may be."""
    for one in allow:
        same_kind = one.network.version == address.version
        if same_kind and address in one.network and one.port in (None, port):
            return None
    if denied(address):
        return "its address is not a public one"
    if scheme != "https":
        return "only https leaves this network"
    if port not in PORTS:
        return f"only the ports {', '.join(map(str, sorted(PORTS)))} are open"
    return None


def check(
    where: Target, addresses: Sequence[str], allow: Iterable[Allowed] = ()
) -> tuple[Address, ...]:
    """The addresses that may be connected to, in order. One that is refused refuses all: a name
    with a private address among public ones is no receiver. Raises Refused."""
    allow = tuple(allow)
    found: list[Address] = []
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            raise Refused(f"{where.host} does not resolve to an address") from None
        why = refusal(where.scheme, where.port, address, allow)
        if why is not None:
            raise Refused(f"{where.host} must not be reached: {why}")
        if address not in found:
            found.append(address)
    if not found:
        raise Refused(f"{where.host} does not resolve")
    return tuple(found)
