"""The chaos proxy does what it says, to plain TCP and inside PostgreSQL's COMMIT."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg
import pytest

from orchestrator.embedded import Embedded
from tests.faults.proxy import Cut, Proxy, proxying

INSERT = "insert into proxied values ($1)"


@contextmanager
def echo() -> Iterator[int]:
    """A server that says back what it hears."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(client,), daemon=True).start()

        def talk(client: socket.socket) -> None:
            with client:
                while piece := client.recv(100):
                    client.sendall(piece)

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def call(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    return client.recv(100)


def ended(client: socket.socket) -> bool:
    try:
        return said(client, b"still there?") == b""
    except ConnectionError:
        return True


def test_it_passes_on_cuts_and_refuses() -> None:
    with echo() as port, proxying(("127.0.0.1", port)) as proxy:
        with call(proxy) as one, call(proxy) as two:
            assert (said(one, b"one"), said(two, b"two")) == (b"one", b"two")
            assert proxy.cut() == 2
            assert ended(one)
            assert ended(two)
        proxy.refuse = True
        with call(proxy) as three:
            assert ended(three)
        assert proxy.connections == 3


def test_it_delays_and_goes_silent_without_an_end() -> None:
    with echo() as port, proxying(("127.0.0.1", port)) as proxy, call(proxy) as client:
        said(client, b"warm")
        proxy.delay = 0.1
        started = time.monotonic()
        assert said(client, b"slow") == b"slow"
        assert time.monotonic() - started > 2 * 0.1 * 0.9  # once each way
        proxy.delay, proxy.silent = 0.0, True
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            said(client, b"lost?")
        proxy.silent = False
        client.settimeout(5)
        assert client.recv(100) == b"lost?"


@pytest.fixture
async def table(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    await conn.execute("create table proxied (id int)")
    await conn.close()


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("cut", "there"), [("before", False), ("after", True)])
async def test_it_cuts_inside_commit(
    servers: Embedded, database_url: str, cut: Cut, there: bool
) -> None:
    """before: the server never saw it. after: it is committed, and the client never heard so."""
    home = Path(servers.endpoints.database_url.partition("?host=")[2]) / ".s.PGSQL.5432"
    name = database_url.partition("@/")[2].partition("?")[0]
    asked: list[str] = []

    def choose(statements: str) -> Cut | None:
        asked.append(statements)
        return cut if "proxied" in statements else None

    with proxying(home, postgres=True) as proxy:
        proxy.commits = choose
        conn = await asyncpg.connect(
            f"postgresql://avtale@127.0.0.1:{proxy.port}/{name}", timeout=5
        )
        async with conn.transaction():
            assert await conn.fetchval("select 1 + $1::int", 1) == 2
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute(INSERT, 7)
        with pytest.raises((ConnectionError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await asyncio.wait_for(transaction.commit(), 5)
        conn.terminate()
        assert proxy.cuts[cut] == 1
    direct = await asyncpg.connect(database_url)
    rows = await direct.fetch("select id from proxied")
    await direct.close()
    assert (rows != []) is there
    assert "select 1 +" in asked[0]
    assert "proxied" not in asked[0]
