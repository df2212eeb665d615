"""HTTP to receivers that others named: checked addresses only, no redirects, small answers.

A name is resolved once for each connection, every address that it has is checked
(`rules.egress`), and the socket goes to exactly the address that passed, while TLS and the header
`Host` keep the name. There is no second look-up for a rebinding name to answer differently.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import httpcore
import httpx

from orchestrator.config import Settings
from orchestrator.errors import SetupError
from orchestrator.rules import egress as rules
from orchestrator.rules.egress import Refused

MOST_BYTES = 64 * 1024  # of an answer; what it says is not kept
RESOLVE_SECONDS = 5.0
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class NoAnswer(Exception):
    """The receiver could not be reached or did not answer in time; the message is one word."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `retry_after` is in seconds, of a 429 or 503 that named them."""

    status: int
    retry_after: int | None = None


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address of `host`, as the system's resolver orders them. Raises OSError."""
    async with asyncio.timeout(RESOLVE_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def allowed(settings: Settings) -> tuple[rules.Allowed, ...]:
    """What the operator opened. Raises SetupError for an entry that cannot be read."""
    try:
        return rules.parse_allowed(settings.egress_allow, sandbox=settings.sandbox)
    except ValueError as error:
        raise SetupError(str(error)) from None


async def check_url(
    url: str, allow: Iterable[rules.Allowed], *, resolver: Resolve = resolve
) -> rules.Target:
    """`url` taken apart, when all that it resolves to now may be reached. Raises Refused."""
    where = rules.target(url)
    rules.check(where, await _addresses(where, resolver), allow)
    return where


async def _addresses(where: rules.Target, resolver: Resolve) -> Sequence[str]:
    try:
        return await resolver(where.host, where.port)
    except (OSError, UnicodeError, TimeoutError):
        raise Refused(f"{where.host} does not resolve: is its name right?") from None


class _Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were checked, and to nothing else."""

    def __init__(self, scheme: str, allow: Sequence[rules.Allowed], resolver: Resolve) -> None:
        self._scheme, self._allow, self._resolver = scheme, allow, resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        where = rules.Target(self._scheme, host, port, "/")
        checked = rules.check(where, await _addresses(where, self._resolver), self._allow)
        failure: Exception | None = None
        for address in checked[:3]:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None  # check() gives at least one address
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise Refused("a webhook is not delivered to a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Egress:
    """Posts to receivers, and fetches what an operator names. `seconds` bounds a whole request,
    however slowly it drips."""

    def __init__(
        self,
        allow: Sequence[rules.Allowed] = (),
        *,
        seconds: float = 15.0,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._seconds = seconds
        tls = tls or httpx.create_ssl_context()  # certifi's roots, or SSL_CERT_FILE
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=tls,
                # Each subscription bounds its own; a shared bound would let one delay another.
                max_connections=None,
                max_keepalive_connections=50,
                keepalive_expiry=15,
                network_backend=_Guarded(scheme, allow, resolver),
            )
            for scheme in ("https", "http")
        }

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST and return what was answered: a redirect is an answer like any other.

        Raises Refused for a receiver that must not be reached, NoAnswer when none came in time.
        """
        answer, _ = await self._guarded("POST", url, headers, body, MOST_BYTES)
        return answer

    async def get(self, url: str, *, most: int) -> bytes:
        """The body at `url`, up to `most` bytes; no redirect is followed.

        Raises Refused for what must not be reached, NoAnswer for any answer but 200 and for one
        that is larger.
        """
        answer, content = await self._guarded("GET", url, {}, b"", most)
        if answer.status != 200:
            raise NoAnswer(f"status {answer.status}")
        if len(content) > most:
            raise NoAnswer(f"more than {most} bytes")
        return content

    async def _guarded(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, most: int
    ) -> tuple[Answer, bytes]:
        where = rules.target(url)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._send(method, where, headers, body, most)
        except TimeoutError:
            raise NoAnswer("timeout") from None
        except ssl.SSLError:
            raise NoAnswer("tls") from None
        except httpcore.ConnectError as error:
            # The pool tells a failed handshake as a failed connection.
            raise NoAnswer("tls" if "SSL" in str(error).upper() else "connect") from None
        except httpcore.TimeoutException:
            raise NoAnswer("timeout") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise NoAnswer(_word(error)) from None

    async def _send(
        self, method: str, where: rules.Target, headers: Mapping[str, str], body: bytes, most: int
    ) -> tuple[Answer, bytes]:
        url = httpcore.URL(scheme=where.scheme, host=where.host, port=where.port, target=where.path)
        sent = [("Host", where.netloc), ("Content-Length", str(len(body))), *headers.items()]
        limits = {"connect": 5.0, "read": self._seconds, "write": 5.0, "pool": self._seconds}
        async with self._pools[where.scheme].stream(
            method, url, headers=sent, content=body, extensions={"timeout": limits}
        ) as answer:
            content = bytearray()
            async for chunk in answer.aiter_stream():
                content += chunk
                if len(content) > most:
                    break  # leaving the block closes the connection; the status is known
            return Answer(answer.status, _retry_after(answer)), bytes(content)

    async def close(self) -> None:
        """Drop every connection."""
        for pool in self._pools.values():
            await pool.aclose()


def _retry_after(answer: httpcore.Response) -> int | None:
    """Seconds of Retry-After (RFC 9110, 10.2.3); its dates are not worth trusting a clock for."""
    if answer.status not in (429, 503):
        return None
    for name, value in answer.headers:
        if name.lower() == b"retry-after" and value.isdigit() and len(value) < 7:
            return int(value)
    return None


def _word(error: Exception) -> str:
    return "protocol" if isinstance(error, httpcore.ProtocolError) else "broken"


def millis_since(started: float) -> int:
    """Whole milliseconds since `time.monotonic()` said `started`."""
    return round((time.monotonic() - started) * 1000)
