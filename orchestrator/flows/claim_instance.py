"""Claim a fresh instance: the first user is its admin."""

from uuid import UUID

from orchestrator import passwords
from orchestrator.acting import Actor, acts
from orchestrator.clock import real_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound
from orchestrator.flows.add_user import add_user
from orchestrator.flows.opening import hash_of
from orchestrator.flows.set_password import require_password
from orchestrator.store import access_links, users
from orchestrator.wiring import App

GONE = "This link was used, is too old, or somebody has claimed this instance already."


async def claim_instance(app: App, *, token: str, email: str, name: str, password: str) -> UUID:
    """Make the first user, an admin. Good once, and only while there is no user.

    Raises NotFound for a link that is no good, BadInput with the field at fault.
    """
    await check_claim(app, token)
    require_password(password, email, name)
    hashed = await passwords.hashed(password)
    with acts(Actor("link", None, email.strip()[:254], "claim_instance")):
        async with transaction(app.engine) as conn:
            now = await real_now(conn)
            await users.lock_first(conn)
            link = await access_links.use(conn, hash_of(token), now)
            if link is None or link["kind"] != "claim" or await users.any_exists(conn):
                raise NotFound(GONE)
            return await add_user(
                conn, email=email, name=name, role="admin", now=now, password_hash=hashed
            )


async def check_claim(app: App, token: str) -> None:
    """Whether the link would do now. Raises NotFound."""
    async with transaction(app.engine) as conn:
        now = await real_now(conn)
        link = await access_links.find(conn, hash_of(token), now)
        if link is None or link["kind"] != "claim" or await users.any_exists(conn):
            raise NotFound(GONE)
