"""Everybody's mail server in the sandbox: SMTP in, a mailbox for all, and a pipe to Avtale.

What is addressed to a sender of Avtale goes on to `POST /hooks/mail`, signed (Standard Webhooks),
as the pipe of a real mail server would do it; the SMTP client hears 250 only after Avtale has
stored it. Started by `avtale up` when AVTALE_SANDBOX is set.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import signal
import time
from pathlib import Path

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import logs
from orchestrator.config import Settings, get_settings
from orchestrator.db import make_engine, transaction
from orchestrator.sandbox.faults import Envelope
from orchestrator.sandbox.mailbox import Mailbox
from orchestrator.sandbox.smtp import SmtpServer
from orchestrator.sandbox.smtp_connection import Options
from orchestrator.store import sandbox
from orchestrator.wiring import require_urls

log = structlog.get_logger()

_FRESH = 2.0  # seconds for which the list of senders is believed


def folder(settings: Settings) -> Path:
    """Where the sandbox keeps its mails."""
    return settings.data_dir / "sandbox" / "mail"


def port_file(settings: Settings) -> Path:
    """Where the SMTP server writes its address; the port stays the same while it can."""
    return settings.data_dir / "sandbox" / "smtp.json"


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks 1.0 for `body`. `secret` is `whsec_<base64>`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{mac}",
    }


class PostOffice:
    """Takes each mail that the SMTP server accepted."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self.mailbox = Mailbox(folder(settings))
        self._settings = settings
        self._engine = engine
        self._client = httpx.AsyncClient(timeout=10, trust_env=False)
        self._senders: set[str] = set()
        self._read_at = -_FRESH

    async def take(self, mail: Envelope) -> str | None:
        """Keep `mail`; pass it on when it is for a sender. A reply line when that failed."""
        senders = await self._addresses()
        for recipient in mail.recipients:
            if _plain(recipient) in senders and not await self._pipe(mail, recipient):
                return "451 4.3.0 Avtale did not take it; try again"
        self.mailbox.add(mail)
        return None

    async def _addresses(self) -> set[str]:
        if time.monotonic() - self._read_at > _FRESH:
            async with transaction(self._engine) as conn:
                self._senders = await sandbox.sender_addresses(conn)
            self._read_at = time.monotonic()
        return self._senders

    async def _pipe(self, mail: Envelope, recipient: str) -> bool:
        trace = f"Return-Path: <{mail.sender}>\r\nDelivered-To: {recipient}\r\n"
        body = trace.encode() + mail.data
        secret = self._settings.mail_secret
        assert secret is not None, "house makes one"
        # The same mail offered twice has the same id, so that a retry is no second answer.
        message_id = "sandbox_" + hashlib.sha256(body).hexdigest()[:32]
        headers = sign(secret.get_secret_value(), message_id, int(time.time()), body)
        try:
            answer = await self._client.post(
                f"http://{self._settings.host}:{self._settings.port}/hooks/mail",
                content=body,
                headers={
                    **headers,
                    "content-type": "message/rfc822",
                    "x-avtale-envelope-from": mail.sender,
                    "x-avtale-envelope-to": recipient,
                },
            )
        except httpx.HTTPError as error:
            log.warning("sandbox.pipe_failed", error=type(error).__name__)
            return False
        if not answer.is_success:
            log.warning("sandbox.pipe_refused", status=answer.status_code, answer=answer.text[:300])
        return answer.is_success

    async def close(self) -> None:
        """Drop the connections to Avtale."""
        await self._client.aclose()


def _plain(address: str) -> str:
    """The address without a `+detail`, in lower case."""
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    engine = make_engine(require_urls(settings)[0], pool_size=2)
    office = PostOffice(settings, engine)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        async with await _open(settings, Options(on_mail=office.take)) as server:
            where = json.dumps({"host": server.host, "port": server.port})
            port_file(settings).write_text(where + "\n")
            log.info("sandbox.smtp", host=server.host, port=server.port)
            await ended.wait()
    finally:
        await office.close()
        await engine.dispose()


async def _open(settings: Settings, options: Options) -> SmtpServer:
    """The server on the port of last time, which senders have noted, or on any free one."""
    try:
        port = int(json.loads(port_file(settings).read_text())["port"])
    except (OSError, ValueError, KeyError):
        port = 0
    try:
        async with SmtpServer(options, port=port):
            pass
    except OSError:
        port = 0
    return SmtpServer(options, port=port)


def main() -> None:
    """The program of `python -m orchestrator.sandbox.post_office`."""
    settings = get_settings()
    logs.configure(level=settings.log_level, as_json=settings.log_json)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
