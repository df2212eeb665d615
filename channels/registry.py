"""The channels: one line each, and that line is all that a new channel adds to existing code.

A line names where things are and imports nothing: whoever only wants to know which channels there
are (a sequence file, the columns of an import) loads no provider's library.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from channels.base import Channel, EventSource


@dataclass(frozen=True)
class Entry:
    """A channel by `module:Class`, and the doors that its providers' events come in by, a tuple of
    EventSource. `columns`: what a column of addresses may be headed in a file of people, besides
    the channel's name. `subject`: as in its Capabilities, for those who load nothing."""

    channel: str
    events: str | None = None
    columns: str = ""
    subject: bool = False

    def factory(self) -> Channel:
        """A new instance."""
        made: Channel = _load(self.channel)()
        return made

    @property
    def sources(self) -> tuple[EventSource, ...]:
        """Every door of this channel."""
        return tuple(_load(self.events)) if self.events else ()


# Email first: in this order a row of an import finds its prospect.
CHANNELS: dict[str, Entry] = {
    "email": Entry("channels.email.adapter:EmailChannel", "channels.email.sources:SOURCES", "e-mail mail epost e-post mejl mailadress email-address e-mail-address epostadresse e-postadresse epostadress e-postadress work-email primary-email", subject=True),  # noqa: E501 - one line a channel
    "slack": Entry("channels.slack:SlackChannel", "channels.slack:SOURCES", "slack-id slack-user slack-user-id"),  # noqa: E501 - one line a channel
    "linkedin": Entry("channels.linkedin.adapter:LinkedinChannel", "channels.linkedin.source:SOURCES", "linkedin-url linkedin-profile linkedin-profil person-linkedin-url"),  # noqa: E501 - one line a channel
}  # fmt: skip
NAMES = tuple(CHANNELS)


def make_channels() -> dict[str, Channel]:
    """One instance of every channel, for one process."""
    return {name: entry.factory() for name, entry in CHANNELS.items()}


def sources() -> Iterator[EventSource]:
    """Every door, of every channel."""
    for entry in CHANNELS.values():
        yield from entry.sources


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
