"""From nothing to ready, and from stopped to ready."""

import compileall
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import Measure, Reading, Size, path
from bench.place import ROOT
from bench.whole import whole


@path("start")
@asynccontextmanager
async def start(size: Size) -> AsyncIterator[list[Measure]]:
    """`avtale up` until /readyz answers 200, with compiled code, as `make up` has it."""
    for name in ("orchestrator", "channels", "migrations"):
        compileall.compile_dir(ROOT / name, quiet=2)
    with TemporaryDirectory(prefix="avtale-bench-") as home:
        kept = Path(home) / "kept"

        async def first() -> dict[str, float]:
            with TemporaryDirectory(prefix="avtale-bench-") as new:
                async with whole(Path(new) / "data") as up:
                    return {"seconds": up.seconds}

        async def again() -> dict[str, float]:
            if not kept.exists():
                async with whole(kept):
                    pass
            async with whole(kept) as up:
                return {"seconds": up.seconds}

        yield [
            Reading("first start to ready, empty data directory", "s", first, 4.0, 2.0),
            Reading("restart to ready", "s", again, 2.0, 1.0),
        ]
