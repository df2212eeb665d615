"""The channels: one line each, and that line is all that a new channel adds to existing code."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from channels.base import Channel, EventSource
from channels.email.adapter import EmailChannel
from channels.email.sources import SOURCES as EMAIL_SOURCES
from channels.linkedin.adapter import LinkedinChannel
from channels.linkedin.source import SOURCES as LINKEDIN_SOURCES
from channels.slack import SOURCES as SLACK_SOURCES
from channels.slack import SlackChannel


@dataclass(frozen=True)
class Entry:
    """A channel's factory, and the doors that its providers' events come in by."""

    factory: Callable[[], Channel]
    sources: tuple[EventSource, ...] = ()


CHANNELS: dict[str, Entry] = {
    "email": Entry(EmailChannel, EMAIL_SOURCES),
    "linkedin": Entry(LinkedinChannel, LINKEDIN_SOURCES),
    "slack": Entry(SlackChannel, SLACK_SOURCES),
}


def make_channels() -> dict[str, Channel]:
    """One instance of every channel, for one process."""
    return {name: entry.factory() for name, entry in CHANNELS.items()}


def sources() -> Iterator[EventSource]:
    """Every door, of every channel."""
    for entry in CHANNELS.values():
        yield from entry.sources
