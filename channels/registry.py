"""Name -> factory: the one line that a new channel adds."""

from collections.abc import Callable

from channels.base import Channel
from channels.email.adapter import EmailChannel

FACTORIES: dict[str, Callable[[], Channel]] = {
    "email": EmailChannel,
}


def make_channels() -> dict[str, Channel]:
    """One instance of every channel, for one process."""
    return {name: factory() for name, factory in FACTORIES.items()}
