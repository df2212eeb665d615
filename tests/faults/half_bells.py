"""`avtale`, with a Redis that loses half of the doorbells and brings half of the others twice.

python -m tests.faults.half_bells worker
"""

import random

from arq.connections import ArqRedis

from orchestrator import doorbells
from orchestrator.cli import main

_enqueue = doorbells._enqueue
_dice = random.Random(20261123)


async def unreliable(redis: ArqRedis, what: str) -> None:
    """Half are dropped; of the rest, half are doubled."""
    if _dice.random() < 0.5:
        return
    await _enqueue(redis, what)
    if _dice.random() < 0.5:
        await _enqueue(redis, what)


if __name__ == "__main__":
    doorbells._enqueue = unreliable
    main()
