"""A process of its own that imports one file: to be killed, and to be measured.

Usage: import_worker.py DATABASE_URL FILE [BATCH]. Prints "taken <n>" after each commit and the
peak of resident memory in KiB last.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.config import Settings
from orchestrator.db import make_engine
from orchestrator.flows.import_prospects import ImportReport, import_prospects
from orchestrator.keys import Keys
from orchestrator.wiring import App, make_redis
from tests.conftest import SECRET


async def main(url: str, path: str, batch: int) -> None:
    app = App(Settings(), make_engine(url), Keys(SECRET), {}, make_redis("redis://127.0.0.1:1"))

    def show(report: ImportReport, _done: int, _size: int) -> None:
        print("taken", report.taken, flush=True)

    await import_prospects(app, Path(path), now=datetime.now(UTC), progress=show, batch_size=batch)
    await app.engine.dispose()
    # Not getrusage: its peak starts with that of the process we were forked from.
    status = Path("/proc/self/status").read_text()  # noqa: ASYNC240 - nothing else runs
    print("peak", status.split("VmHWM:")[1].split()[0], flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 2000))
