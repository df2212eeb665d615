"""How a sender says which provider's events it takes: `settings["events"]`."""

from channels.base import Account
from channels.email.settings import EmailSettings, EventSettings, read_settings


def events_of(account: Account, source: str) -> EventSettings | None:
    """The settings of this source; None when the sender takes no events of it."""
    try:
        settings: EmailSettings = read_settings(account)
    except (ValueError, TypeError):
        return None
    found = settings.events
    return found if found is not None and found.source == source else None


NOT_CONFIGURED = "This sender takes no events of this provider: see its settings.events."
NO_SECRET = "This sender has no secret for this provider: nothing is accepted."  # noqa: S105 - words
NOT_SIGNED = "The signature is missing or wrong."
NOT_OF_NOW = "The signature is not of now."
NOT_READ = "The body cannot be read."
