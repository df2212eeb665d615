"""Health checks of containers: exit 0 when well.

`python -m orchestrator.probe URL`: the address answers 200.
`python -m orchestrator.probe worker`: a worker of this host has beaten its heart within a minute.
"""

import asyncio
import os
import socket
import sys
import urllib.request

_FRESH = """select exists (
  select from heartbeats
  where starts_with(worker, $1 || ':') and beat_at > clock_timestamp() - interval '60 s'
)"""


async def _beats(database_url: str) -> bool:
    import asyncpg

    conn = await asyncpg.connect(database_url, timeout=4)
    try:
        return bool(await conn.fetchval(_FRESH, socket.gethostname(), timeout=4))
    finally:
        await conn.close()


def _answers(address: str) -> bool:
    with urllib.request.urlopen(address, timeout=4) as answer:  # noqa: S310 - from compose
        return bool(answer.status == 200)


def main(target: str) -> int:
    """0 when `target` is well, else 1 with a reason on stderr."""
    try:
        if target == "worker":
            # The one reader of the environment is Settings; a probe must not fail on its rules.
            well = asyncio.run(_beats(os.environ["AVTALE_DATABASE_URL"]))
        else:
            well = _answers(target)
    except (OSError, TimeoutError, KeyError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
