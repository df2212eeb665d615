"""Several pieces of work side by side, taken in and handed out in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def abreast(
    work: Callable[[T], Awaitable[R]], items: AsyncIterator[T], *, most: int
) -> AsyncGenerator[R, None]:
    """The results of `work` on `items`, in their order, `most` of them under way at once. When one
    fails, those under way are ended first."""
    running: deque[asyncio.Future[R]] = deque()
    try:
        async for item in items:
            running.append(asyncio.ensure_future(work(item)))
            if len(running) == most:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        await asyncio.gather(*running, return_exceptions=True)
