"""Set a password by a link: an invitation, or a reset."""

from typing import Any

from orchestrator import passwords
from orchestrator.acting import Actor, acts
from orchestrator.clock import real_now
from orchestrator.db import transaction
from orchestrator.errors import BadInput, NotFound
from orchestrator.flows.opening import hash_of
from orchestrator.rules.accounts import LONGEST, SHORTEST, password_fault
from orchestrator.store import access_links, sessions, tries, users
from orchestrator.wiring import App

_FAULTS = {
    "short": f"A password has at least {SHORTEST} characters.",
    "long": f"A password has at most {LONGEST} characters.",
    "plain": "This password is too easy to guess.",
    "known": "This password is little more than the name or the address.",
}
GONE = "This link was used, or is too old: ask for another one."


def require_password(password: str, email: str, name: str) -> None:
    """Raise BadInput for a password that will not do."""
    if fault := password_fault(password, email, name):
        raise BadInput(_FAULTS[fault], field="password", fault=f"password_{fault}")


async def whose_link(app: App, token: str) -> dict[str, Any]:
    """The user whom a link is for: id, email, name, kind of link. Raises NotFound."""
    async with transaction(app.engine) as conn:
        now = await real_now(conn)
        link = await access_links.find(conn, hash_of(token), now)
        user = await users.by_id(conn, link["user_id"]) if link and link["user_id"] else None
    if link is None or user is None or user["disabled_at"] is not None:
        raise NotFound(GONE)
    return {name: user[name] for name in ("id", "email", "name")} | {"kind": link["kind"]}


async def set_password(app: App, *, token: str, password: str) -> None:
    """Set it, use the link up, void every other one, and end every session of the user.

    Nobody is signed in by it: where there is a second factor, it is asked for as always. Raises
    NotFound, BadInput.
    """
    user = await whose_link(app, token)
    require_password(password, user["email"], user["name"])
    hashed = await passwords.hashed(password)
    with acts(Actor("link", user["id"], user["email"], "set_password")):
        async with transaction(app.engine) as conn:
            now = await real_now(conn)
            link = await access_links.use(conn, hash_of(token), now)
            row = await users.by_id(conn, user["id"], lock=True)
            if link is None or row is None or row["disabled_at"] is not None:
                raise NotFound(GONE)
            await users.change(conn, user["id"], password_hash=hashed)
            await access_links.void(conn, user_id=user["id"])
            await sessions.end_all(conn, user["id"])
            await tries.forget(conn, app.keys.try_key("account", user["email"]))
