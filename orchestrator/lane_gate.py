"""How many connections one lane may use at once: few until it has shown that it answers.

A lane starts with one, gains one with each brisk hand-over, and falls back to one when it is slow.
So an account that hangs holds one connection of the worker, not all of them.
"""

import asyncio
from collections import deque


class LaneGate:
    """The connections of one lane. `most` is where it stops growing."""

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._limit = 1
        self.proven = False  # whether its latest hand-over was brisk
        self._active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def idle(self) -> bool:
        """Nobody uses it and nobody waits."""
        return not self._active and not self._waiting

    @property
    def slow(self) -> bool:
        """All that it may use is in use, and it has not shown that it answers."""
        return self._limit == 1 and self._active >= 1 and bool(self._waiting)

    async def enter(self) -> None:
        """Wait for a connection of this lane, in the order of asking."""
        if self._active < self._limit:
            self._active += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def leave(self, *, brisk: bool) -> None:
        """Give the connection back, and say how it went."""
        self._active -= 1
        self.proven = brisk
        self._limit = min(self._most, self._limit + 1) if brisk else 1
        while self._waiting and self._active < self._limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._active += 1
                turn.set_result(None)
