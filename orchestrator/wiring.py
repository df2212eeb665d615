"""What a process holds while it runs: built once here, handed to doors and flows."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from arq.connections import ArqRedis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy.ext.asyncio import AsyncEngine

from channels import crash_points
from channels.base import Channel
from channels.registry import make_channels
from orchestrator import jobs_wire, meaning_file
from orchestrator.config import Settings
from orchestrator.db import make_engine
from orchestrator.doorbells import Doorbells
from orchestrator.errors import SetupError
from orchestrator.keys import Keys
from orchestrator.networks import KnownNetworks

log = structlog.get_logger()


@dataclass
class App:
    """The parts of one process."""

    settings: Settings
    engine: AsyncEngine
    keys: Keys
    channels: dict[str, Channel]
    redis: ArqRedis
    networks: KnownNetworks = field(default_factory=KnownNetworks)
    _bells: Doorbells = field(default_factory=Doorbells)

    def ring(self, what: jobs_wire.Bell) -> None:
        """Wake a worker for `what`. Returns at once; a doorbell that is lost costs latency only."""
        self._bells.ring(self.redis, what)

    def ring_canary(self, worker: str, hops: int = jobs_wire.HOPS) -> None:
        """Ask Redis whether it still brings bells to `worker`."""
        self._bells.ring(self.redis, jobs_wire.canary(worker, hops))

    async def close(self) -> None:
        """Let the last doorbells ring, then drop every connection."""
        await self._bells.close()
        for channel in self.channels.values():
            await channel.close()
        await self.redis.aclose()
        await self.engine.dispose()


def make_redis(url: str) -> ArqRedis:
    """A pool of our own: arq sets no socket timeout, and a frozen Redis would hang it for ever."""
    pool: ArqRedis = ArqRedis.from_url(
        url,
        socket_timeout=5,
        socket_connect_timeout=2,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 0),
        **({} if url.startswith("unix:") else {"socket_keepalive": True}),
    )
    pool.job_serializer = jobs_wire.serialize
    pool.job_deserializer = jobs_wire.deserialize
    pool.default_queue_name = jobs_wire.QUEUE
    pool.expires_extra_ms = 60_000
    return pool


def require_urls(settings: Settings) -> tuple[str, str]:
    """The two URLs, or words on how to get them."""
    if not settings.database_url or not settings.redis_url:
        raise SetupError(
            f"No `avtale up` runs on {settings.data_dir.absolute()}: start it (it brings its own "
            "servers), name its AVTALE_DATA_DIR, or set AVTALE_DATABASE_URL and AVTALE_REDIS_URL."
        )
    return settings.database_url, settings.redis_url


def arm_crash_point(settings: Settings) -> None:
    """Let this process die where `crash_at` says. Raises SetupError outside a test of faults."""
    if not settings.crash_at:
        return
    if not settings.faults:
        raise SetupError("AVTALE_CRASH_AT kills this process: it needs AVTALE_FAULTS=1 beside it.")
    try:
        crash_points.arm(settings.crash_at)
    except ValueError as error:
        raise SetupError(f"AVTALE_CRASH_AT: {error}") from None
    log.warning("crash_point.armed", at=settings.crash_at, pid=os.getpid())


@asynccontextmanager
async def open_app(settings: Settings, *, pool_size: int = 10) -> AsyncIterator[App]:
    """Build the parts and take them down again."""
    database_url, redis_url = require_urls(settings)
    if settings.secret_key is None:
        raise SetupError("AVTALE_SECRET_KEY is not set: `avtale secret` makes one.")
    arm_crash_point(settings)
    meaning_file.use(settings)
    app = App(
        settings=settings,
        engine=make_engine(database_url, pool_size=pool_size),
        keys=Keys(settings.secret_key.get_secret_value().encode()),
        channels=make_channels(),
        redis=make_redis(redis_url),
    )
    try:
        yield app
    finally:
        await app.close()
