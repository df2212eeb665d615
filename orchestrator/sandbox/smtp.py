"""The sandbox's SMTP server: keeps what it gets and lets nothing out.

In the demo it is everybody's mail server; tests and benchmarks send to it too. Alone:

    python -m orchestrator.sandbox.smtp --port 0 --ledger FILE [--store DIR] [--fault rcpt=451@7]

prints `{"host": ..., "port": ...}` on one line and serves until SIGTERM or Ctrl-C.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from orchestrator.sandbox.faults import Envelope, combine, parse_fault
from orchestrator.sandbox.mailbox import Mailbox
from orchestrator.sandbox.smtp_connection import Connection, Options
from orchestrator.sandbox.smtp_session import Session

_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(<[^>\r\n]+>)")


class SmtpServer:
    """An SMTP server on loopback. An async context manager; `port` is known once it is entered."""

    def __init__(self, options: Options, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.options = options
        self.host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._sessions: set[Connection] = set()

    async def __aenter__(self) -> "SmtpServer":
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Session(self.options, self._sessions), self.host, self.port, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for session in list(self._sessions):
            session.close()
        await self._server.wait_closed()


class Ledger:
    """Ground truth for fault tests: one line `Message-ID<TAB>recipient<TAB>seconds since the epoch`
    per mail and recipient.

    Written in one append before the mail is acknowledged. No fsync: it survives the death of
    this process, not that of the machine.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, mail: Envelope) -> None:
        """Note every recipient of `mail`."""
        head = mail.data.partition(b"\r\n\r\n")[0]
        found = _MESSAGE_ID.search(head)
        name = found[1].decode(errors="replace") if found else "-"
        at = f"{time.time():.6f}"
        lines = "".join(f"{name}\t{to}\t{at}\n" for to in mail.recipients)
        os.write(self._file, lines.encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def keeper(ledger: Ledger | None, mailbox: Mailbox | None) -> Callable[[Envelope], None]:
    """An `on_mail` that writes into what is given."""

    def on_mail(mail: Envelope) -> None:
        if mailbox is not None:
            mailbox.add(mail)
        if ledger is not None:
            ledger.add(mail)

    return on_mail


async def _serve(arguments: argparse.Namespace) -> None:
    ledger = Ledger(arguments.ledger) if arguments.ledger else None
    mailbox = Mailbox(arguments.store) if arguments.store else None
    script = combine([parse_fault(each) for each in arguments.fault]) if arguments.fault else None
    options = Options(on_mail=keeper(ledger, mailbox), script=script)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with SmtpServer(options, port=arguments.port) as server:
        sys.stdout.write(json.dumps({"host": server.host, "port": server.port}) + "\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """The command line of `python -m orchestrator.sandbox.smtp`."""
    parser = argparse.ArgumentParser(description="An SMTP server that keeps what it gets.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ledger", type=Path, help="append Message-ID and recipient here")
    parser.add_argument("--store", type=Path, help="keep the mails in this folder")
    parser.add_argument("--fault", action="append", default=[], help="PHASE=ACTION@N")
    arguments = parser.parse_args()
    try:
        import uvloop

        uvloop.run(_serve(arguments))
    except ImportError:
        asyncio.run(_serve(arguments))


if __name__ == "__main__":
    main()
