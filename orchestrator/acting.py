"""Who acts: set by the door that a person or a key came through, read where it has to be known.

A context variable, as the logger's request id is: what one request or command does runs in its own
context. The machinery (worker, provider events, the prospects' own pages) acts for nobody.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.ids import uuid7

ActorKind = Literal["user", "key", "cli", "link"]

# What one request does to very many rows is one line of the audit log, not one for each row.
WHOLE = frozenset({"import_prospects", "enroll_people", "avtale prospects import", "avtale enroll"})


@dataclass(slots=True)
class Actor:
    """A person, or a key in their place, and what they are about to do."""

    kind: ActorKind
    id: UUID | None
    name: str
    action: str  # the operation's name: `pause_prospect`, `avtale senders add`
    subject: tuple[str, str] | None = None  # what it is done to: ("prospect", id)
    changes: bool = True  # False: only reads, and nothing is noted
    owner: UUID | None = None  # sees only the people of this user
    operation: UUID = field(default_factory=uuid7)
    noted: bool = False

    @property
    def whole(self) -> bool:
        """Whether one line says it all."""
        return self.action in WHOLE


_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def current() -> Actor | None:
    """Who acts here; None for the machinery."""
    return _acting.get()


def only_own() -> UUID | None:
    """The user whose people alone may be shown and changed here; None: everybody's."""
    actor = _acting.get()
    return actor.owner if actor is not None else None


def become(actor: Actor | None) -> None:
    """From here on `actor` acts, for the rest of this request."""
    _acting.set(actor)


@contextmanager
def acts(actor: Actor) -> Iterator[Actor]:
    """`actor` acts within the block."""
    token = _acting.set(actor)
    try:
        yield actor
    finally:
        _acting.reset(token)


@contextmanager
def nobody() -> Iterator[None]:
    """Nobody acts within the block until somebody becomes an actor; after it all is as before."""
    token = _acting.set(None)
    try:
        yield
    finally:
        _acting.reset(token)


def watched() -> Actor | None:
    """Who acts, if it is somebody whose changes are noted."""
    actor = _acting.get()
    return actor if actor is not None and actor.changes else None


async def begin(conn: AsyncConnection, actor: Actor) -> None:
    """Tell the triggers of the audit log who acts in this transaction."""
    if actor.whole:
        return
    who = {
        "kind": actor.kind,
        "id": str(actor.id) if actor.id else None,
        "name": actor.name,
        "action": actor.action,
        "operation": str(actor.operation),
    }
    await conn.execute(
        text("select set_config('avtale.actor', :who, true)"), {"who": json.dumps(who)}
    )


# A transaction that wrote, and of which no trigger has said anything: the operation is named all
# the same. A row that was only locked counts as written.
_UNTOLD = text(
    "select pg_current_xact_id_if_assigned() is not null"
    " and coalesce(current_setting('avtale.audited', true), '') = ''"
)
_NOTE = text(
    """
    insert into audit (operation, actor_kind, actor_id, actor_name, action, subject_kind,
                       subject_id)
    values (:operation, :kind, :id, :name, :action, :subject_kind, :subject_id)
    """
)


async def end(conn: AsyncConnection, actor: Actor) -> bool:
    """Note the operation where the triggers noted nothing. Whether a line was written."""
    if actor.noted:
        return False
    if not await conn.scalar(_UNTOLD):  # a transaction that may only read takes no insert at all
        return False
    subject = actor.subject or (None, None)
    await conn.execute(
        _NOTE,
        {
            "operation": actor.operation,
            "kind": actor.kind,
            "id": actor.id,
            "name": actor.name,
            "action": actor.action,
            "subject_kind": subject[0],
            "subject_id": subject[1],
        },
    )
    return True
