"""Who a person is on Slack: an email address, or a user of a workspace as `T…:U…`."""

import re

from channels.email.address import canonical_address

_USER = re.compile(r"[TE][A-Z0-9]{2,30}:[UW][A-Z0-9]{2,30}", re.ASCII)


def canonical(address: str) -> str:
    """Email in the spelling of the email channel, ids in upper case. Raises ValueError."""
    made = address.strip()
    if "@" in made:
        return canonical_address(made)
    if _USER.fullmatch(made.upper()) is None:
        raise ValueError(
            f"`{address}` is no address on Slack: an email address, or workspace and user as "
            "`T0123ABCD:U0123ABCD`."
        )
    return made.upper()


def is_user(address: str) -> bool:
    """Whether `address` (or a user_ref) names a user and not a mailbox."""
    return _USER.fullmatch(address) is not None


def user_of(address: str) -> str:
    """The user's id in `T…:U…`."""
    return address.partition(":")[2]
