"""How a sender says which provider's events it takes: `settings["events"]`."""

from uuid import UUID

from channels.base import Account
from channels.email.settings import EmailSettings, EventSettings, read_settings

# Checking an account's settings takes ten times as long as a signature, and the door hands in the
# same account many times a second. One entry for each sender of the process.
_CHECKED: dict[UUID, tuple[Account, EventSettings | None]] = {}


def events_of(account: Account, source: str) -> EventSettings | None:
    """The settings of this source; None when the sender takes no events of it."""
    known = _CHECKED.get(account.id)
    if known is None or known[0] is not account:
        known = _CHECKED[account.id] = (account, _read(account))
    found = known[1]
    return found if found is not None and found.source == source else None


def _read(account: Account) -> EventSettings | None:
    try:
        settings: EmailSettings = read_settings(account)
    except (ValueError, TypeError):
        return None
    return settings.events


NOT_CONFIGURED = "This sender takes no events of this provider: see its settings.events."
NO_SECRET = "This sender has no secret for this provider: nothing is accepted."  # noqa: S105 - words
NOT_SIGNED = "The signature is missing or wrong."
NOT_OF_NOW = "The signature is not of now."
NOT_READ = "The body cannot be read."
