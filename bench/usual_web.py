"""The usual way to take webhooks and opens: FastAPI, a pydantic model, one row a transaction."""

import hmac
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel
from sqlalchemy import text

from bench.serve import GIF
from orchestrator.config import get_settings
from orchestrator.db import make_engine
from orchestrator.ids import uuid7
from orchestrator.keys import Keys

WEBHOOK_KEY = b"a key of the benchmark's provider"


class Event(BaseModel):
    """What a provider tells."""

    type: str
    created_at: str
    data: dict[str, Any]


def create() -> FastAPI:
    """The application; it keeps its rows in a table of its own."""
    settings = get_settings()
    assert settings.database_url is not None
    assert settings.secret_key is not None
    engine = make_engine(settings.database_url, pool_size=10)
    keys = Keys(settings.secret_key.get_secret_value().encode())

    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as conn:
            await conn.execute(text("drop table if exists usual_events"))
            await conn.execute(
                text("""create table usual_events (id uuid primary key, external_id text unique,
                     kind text, raw jsonb, received_at timestamptz default now())""")
            )
        yield
        await engine.dispose()

    app = FastAPI(lifespan=running)

    async def add(external_id: str, kind: str, raw: str) -> None:
        async with engine.begin() as conn:
            await conn.execute(
                text("""insert into usual_events (id, external_id, kind, raw)
                     values (:id, :external_id, :kind, cast(:raw as jsonb))
                     on conflict (external_id) do nothing"""),
                {"id": uuid7(), "external_id": external_id, "kind": kind, "raw": raw},
            )

    @app.post("/hooks/resend/{sender}")
    async def take(request: Request, sender: str, event: Event) -> dict[str, bool]:
        body, headers = await request.body(), request.headers
        signed = f"{headers['svix-id']}.{headers['svix-timestamp']}.".encode() + body
        wanted = "v1," + b64encode(hmac.digest(WEBHOOK_KEY, signed, sha256)).decode()
        if not hmac.compare_digest(headers["svix-signature"], wanted):
            raise HTTPException(401)
        await add(headers["svix-id"], event.type, event.model_dump_json())
        return {"ok": True}

    @app.get("/o/{token}.gif")
    async def opened(request: Request, token: str) -> Response:
        message = keys.read_token("open", token)
        if message is not None:
            await add(f"open:{message}:{uuid7()}", "open", "{}")
        return Response(GIF, media_type="image/gif")

    @app.get("/c/{token}")
    async def clicked(request: Request, token: str) -> Response:
        link = keys.read_token("click", token)
        async with engine.begin() as conn:
            url = await conn.scalar(text("select url from links where id = :id"), {"id": link})
        if url is None:
            raise HTTPException(404)
        await add(f"click:{link}:{uuid7()}", "click", "{}")
        return Response(status_code=302, headers={"location": url})

    return app
