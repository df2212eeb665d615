"""Connections to receivers: the address that was checked, whatever a resolver says next."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.egress import MOST_BYTES, Answer, Egress, NoAnswer, check_url
from orchestrator.rules.egress import Refused, parse_allowed
from tests.receiver import receiver


@asynccontextmanager
async def opened(**options: object) -> AsyncIterator[Egress]:
    """An Egress that may reach loopback, unless told otherwise."""
    made = Egress(**({"allow": parse_allowed("127.0.0.1")} | options))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.close()


class Resolver:
    """Answers with the next of `answers` each time, and counts."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


async def test_it_posts_with_the_host_of_the_url() -> None:
    async with receiver() as (port, seen), opened(resolver=Resolver(["127.0.0.1"])) as egress:
        url = f"http://hook.example:{port}/a?b=c"
        assert await egress.post(url, headers={"X-A": "1"}, body=b"{}") == Answer(204)
    head = seen[0].lower()
    assert head.startswith(b"post /a?b=c http/1.1\r\n")
    assert f"\r\nhost: hook.example:{port}\r\n".encode() in head
    assert seen[0].endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "localhost."]
)
async def test_loopback_is_never_connected_unless_allowed(host: str) -> None:
    async with receiver() as (port, seen), opened(allow=()) as egress:
        for scheme in ("http", "https"):
            with pytest.raises(Refused):
                await egress.post(f"{scheme}://{host}:{port}/", headers={}, body=b"")
            with pytest.raises(Refused):
                await check_url(f"{scheme}://{host}:{port}/", ())
    assert seen == []


async def test_a_rebinding_name_is_connected_to_what_was_checked() -> None:
    # The first answer is the allowed one; a second look-up would have led elsewhere.
    async with receiver() as (good, seen), receiver() as (_, trap):
        resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
        async with opened(resolver=resolver) as egress:
            await egress.post(f"http://hook.example:{good}/", headers={}, body=b"1")
            assert resolver.asked == 1
    assert len(seen) == 1
    assert trap == []


async def test_a_name_that_turns_private_after_it_was_taken_on_is_refused() -> None:
    resolver = Resolver(["1.1.1.1"], ["127.0.0.1"])
    await check_url("https://hook.example:8443/", (), resolver=resolver)
    async with receiver() as (_, seen), opened(allow=(), resolver=resolver) as egress:
        with pytest.raises(Refused):
            await egress.post("https://hook.example:8443/", headers={}, body=b"")
    assert seen == []


async def test_one_private_address_among_public_ones_refuses_all() -> None:
    async with opened(allow=(), resolver=Resolver(["1.1.1.1", "10.0.0.1"])) as egress:
        with pytest.raises(Refused):
            await egress.post("https://hook.example/", headers={}, body=b"")


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async with receiver() as (inner, trap):
        moved = (
            f"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{inner}/\r\nContent-Length: 0\r\n\r\n"
        )
        async with receiver(moved.encode()) as (port, _), opened() as egress:
            answer = await egress.post(f"http://127.0.0.1:{port}/", headers={}, body=b"x")
    assert answer.status == 307
    assert trap == []


async def test_a_large_answer_is_cut_off() -> None:
    sent = 0

    async def pour(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with receiver(pour) as (port, _), opened() as egress:
        answer = await egress.post(f"http://127.0.0.1:{port}/", headers={}, body=b"x")
    assert answer.status == 200
    assert sent < 100 * MOST_BYTES


async def test_a_dripping_answer_ends_with_the_deadline() -> None:
    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _byte in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with receiver(drip) as (port, _), opened(seconds=0.3) as egress:
        with pytest.raises(NoAnswer, match="timeout"):
            await egress.post(f"http://127.0.0.1:{port}/", headers={}, body=b"x")


@pytest.mark.parametrize(
    ("answer", "word"), [(b"garbage\r\n\r\n", "protocol"), (b"HTTP/1.1 200 OK\r\nA", "timeout")]
)
async def test_trouble_is_one_word(answer: bytes, word: str) -> None:
    async with receiver(answer) as (port, _), opened(seconds=0.3) as egress:
        with pytest.raises(NoAnswer, match=word):
            await egress.post(f"http://127.0.0.1:{port}/", headers={}, body=b"x")
        with pytest.raises(NoAnswer, match="connect"):
            await egress.post("http://127.0.0.1:1/", headers={}, body=b"x")


async def test_retry_after_is_read() -> None:
    busy = b"HTTP/1.1 429 X\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
    async with receiver(busy) as (port, _), opened() as egress:
        answer = await egress.post(f"http://127.0.0.1:{port}/", headers={}, body=b"x")
    assert answer == Answer(429, retry_after=30)


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server called `name` and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, private)
    return server, ssl.create_default_context(cafile=str(pem))


async def test_tls_keeps_the_name_that_was_resolved(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "hook.example")
    asked: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with receiver(tls=server) as (port, seen):
        async with opened(tls=client, resolver=Resolver(["127.0.0.1"])) as egress:
            answer = await egress.post(f"https://hook.example:{port}/", headers={}, body=b"x")
            assert answer.status == 204
            with pytest.raises(NoAnswer, match="tls"):
                await egress.post(f"https://other.example:{port}/", headers={}, body=b"x")
    assert asked == ["hook.example", "other.example"]
    assert len(seen) == 1
