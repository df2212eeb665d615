"""A Slack as a process of its own, with a ledger of what was posted.

python -m tests.faults.slack_sink LEDGER     prints {"port": ...} and serves until it is killed
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from tests.channels.slack_server import FakeSlack, serving


@dataclass
class Ledgered(FakeSlack):
    """Each post is noted before it is acknowledged: our key in its metadata, the conversation, and
    seconds since the epoch."""

    ledger: int = -1

    def on_chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = super().on_chat_postMessage(arguments)
        key = arguments["metadata"]["event_payload"]["key"]
        line = f"{key}\t{arguments['channel']}\t{time.time():.6f}\n"
        os.write(self.ledger, line.encode())
        return answer


async def _serve(path: str) -> None:
    ledger = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    async with serving(Ledgered(ledger=ledger)) as slack:
        sys.stdout.write(json.dumps({"port": slack.port}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
