"""Messages with all that happens to them, replayable from a seed; and the lists of networks."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from orchestrator.rules.networks import NONE, Kind, Lists, Network, Ranges, parse
from tests.simulator.acts import Act
from tests.simulator.machines import MACHINES
from tests.simulator.people import CLIENTS, person

APPLE = Path(__file__).parents[3] / "shared/corpora/networks/apple-private-relay-egress.txt"
_APPLE_STAND_IN = [ip_network("100.65.0.0/20")]


@dataclass(frozen=True)
class Message:
    """One message: its links, and everything that is fetched of it, by time."""

    number: int
    links: int
    acts: tuple[Act, ...]


def apples() -> list[Network]:
    """Apple's egress ranges of the corpus; a block of ours where there is no corpus."""
    return parse(APPLE.read_bytes()) if APPLE.exists() else list(_APPLE_STAND_IN)


def published(apple: Sequence[Network]) -> dict[str, tuple[Kind, list[Network]]]:
    """What an operator would have fetched: Apple's, two clouds', one gateway's, two proxies'."""
    return {
        "apple": ("prefetch", list(apple)),
        "azure": ("datacentre", [ip_network("203.0.113.0/24")]),
        "aws": ("datacentre", [ip_network("192.0.2.0/24")]),  # proxies stand there, too
        "barracuda": ("scanner", [ip_network("198.51.100.0/24")]),
        "google": ("proxy", [ip_network("192.0.2.0/26")]),
        "yahoo": ("proxy", [ip_network("192.0.2.128/29")]),
    }


def lists(apple: Sequence[Network]) -> Lists:
    """The same, to be asked."""
    found = published(apple)
    return Lists({name: (kind, Ranges.of(nets)) for name, (kind, nets) in found.items()})


NO_LISTS = NONE


def messages(count: int, *, seed: int, apple: Sequence[Network]) -> Iterator[Message]:
    """`count` messages. The same seed gives the same messages, whatever came before."""
    sample = random.Random(seed).sample(list(apple), min(200, len(apple)))
    addresses = [str(one.network_address) for one in sample]
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        links = rng.choice((1, 2, 2, 3))
        acts = list(person(rng, rng.choice(CLIENTS), links, addresses))
        theirs = tuple(acts)
        for machine, share in MACHINES:
            if rng.random() < share:
                acts += machine(rng, links, theirs)
        yield Message(number, links, tuple(sorted(acts, key=lambda act: act.at)))
