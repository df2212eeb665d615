"""Who may do what: one table of role by resource, asked by the API and by every page.

An action is a scope (`rules.scopes`): `tasks:read`. How far somebody reaches with it is everything,
only their own people (prospects whose owner they are, and what belongs to those), or nothing.
"""

from collections.abc import Iterable
from enum import StrEnum

from orchestrator.rules import scopes

ROLES = ("admin", "ops", "rep", "viewer")


class Reach(StrEnum):
    """How far an action reaches."""

    NONE = "none"
    OWN = "own"
    ALL = "all"


# Per resource, in the order of ROLES: read/write; one word stands for both.
_TABLE: dict[str, tuple[str, str, str, str]] = {
    # who                admin      ops        rep        viewer
    "account": ("all", "all", "all", "all"),  # what is about oneself
    "audit": ("all", "all/none", "none", "none"),
    "bookings": ("all", "all", "own", "all/none"),
    "engagements": ("all", "all", "own", "all/none"),
    "enrollments": ("all", "all", "own", "all/none"),
    "events": ("all", "all", "none", "none"),  # raw: also about people of others
    "hosts": ("all", "all", "all/none", "all/none"),
    "keys": ("all", "none", "none", "none"),
    "messages": ("all", "all", "own", "all/none"),
    "prospects": ("all", "all", "own", "all/none"),
    "senders": ("all", "all", "all/none", "all/none"),
    "sequences": ("all", "all", "all/none", "all/none"),
    "subscriptions": ("all", "all", "none", "none"),  # every event leaves by them
    "suppressions": ("all", "all", "none", "all/none"),
    "tasks": ("all", "all", "own", "all/none"),
    "today": ("all", "all", "own", "all/none"),
    "unlocks": ("all", "all", "own", "all/none"),
    "users": ("all", "none", "none", "none"),
}


def reach_of(role: str, action: str) -> Reach:
    """How far `role` reaches with `action`. What is not in the table is reached by nobody."""
    resource, _, verb = action.partition(":")
    row = _TABLE.get(resource)
    if row is None or role not in ROLES or verb not in scopes.ACTIONS:
        return Reach.NONE
    read, _, write = row[ROLES.index(role)].partition("/")
    return Reach(read if verb == "read" else write or read)


def reach_with(roles: Iterable[str], granted: Iterable[str], action: str) -> Reach:
    """The same for an API key: its roles, its own and that of the user whom it belongs to, each
    bound what its scopes grant."""
    if not scopes.allows(granted, action):
        return Reach.NONE
    reached = [reach_of(role, action) for role in roles]
    return min(reached, key=tuple(Reach).index, default=Reach.NONE)


def resources() -> tuple[str, ...]:
    """Everything that the table has a line for."""
    return tuple(_TABLE)
