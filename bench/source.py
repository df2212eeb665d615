"""The ceiling of sending: Postfix's smtp-source, or the same conversation from asyncio where it is
not installed."""

import asyncio
import shutil
import time

_MAIL = b"Subject: test\r\n\r\n" + (b"x" * 70 + b"\r\n") * 57 + b".\r\n"
_STEPS = (b"MAIL FROM:<a@source.example>\r\n", b"RCPT TO:<b@sink.example>\r\n", b"DATA\r\n", _MAIL)


def found() -> str | None:
    """Where smtp-source is (Debian: package postfix), which root's PATH may not name."""
    return shutil.which("smtp-source", path="/usr/sbin:/usr/lib/postfix/sbin:/usr/bin")


def name() -> str:
    """What `rate` measures with."""
    return "smtp-source" if found() else "built-in source"


async def rate(port: int, *, mails: int, connections: int = 10) -> float:
    """Mails of 4 kB a second over `connections` that stay open."""
    began = time.perf_counter()
    program = found()
    if program is None:
        await asyncio.gather(*(_talk(port, mails // connections) for _ in range(connections)))
        mails -= mails % connections
    else:
        child = await asyncio.create_subprocess_exec(
            *(program, "-d", "-s", str(connections), "-l", "4096", "-m", str(mails)),
            f"127.0.0.1:{port}",
        )
        if await child.wait():
            raise RuntimeError("smtp-source failed")
    return mails / (time.perf_counter() - began)


async def _talk(port: int, mails: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b"EHLO source.example\r\n")
    while not (await reader.readline()).startswith(b"250 "):
        pass
    for _ in range(mails):
        for words in _STEPS:
            writer.write(words)
            await reader.readline()
    writer.close()
