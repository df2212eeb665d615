"""What an API key may do: `prospects:read`, `prospects:write`, `*:read`, `*`."""

from collections.abc import Iterable

RESOURCES = (
    "account",
    "audit",
    "bookings",
    "engagements",
    "enrollments",
    "events",
    "hosts",
    "keys",
    "messages",
    "prospects",
    "senders",
    "sequences",
    "subscriptions",
    "suppressions",
    "tasks",
    "today",
    "unlocks",
    "users",
)
ACTIONS = ("read", "write")


def known() -> tuple[str, ...]:
    """Every scope that a key may be given."""
    return (
        "*",
        *(f"*:{action}" for action in ACTIONS),
        *(f"{resource}:{action}" for resource in RESOURCES for action in ACTIONS),
    )


def check(scopes: Iterable[str]) -> list[str]:
    """`scopes` without doubles, in order. Raises ValueError for one that does not exist."""
    wanted = list(dict.fromkeys(scopes))
    if not wanted:
        raise ValueError("a key without a scope opens nothing: name at least one, or *")
    for scope in wanted:
        if scope not in known():
            raise ValueError(
                f"`{scope}` is no scope: write <resource>:<read|write>, *:read or *; "
                f"resources are {', '.join(RESOURCES)}"
            )
    return wanted


def allows(scopes: Iterable[str], needed: str) -> bool:
    """Whether `scopes` reach `needed`. Writing includes reading."""
    resource, _, action = needed.partition(":")
    reach = {"*", needed, f"*:{action}"}
    if action == "read":
        reach |= {f"{resource}:write", "*:write"}
    return not reach.isdisjoint(scopes)
