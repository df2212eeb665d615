"""Anything may happen in any order on a real database, and the laws hold after every step.

`AVTALE_MODEL_EXAMPLES` and `AVTALE_MODEL_STEPS` make it longer, `AVTALE_MODEL_SEED` chooses another
run; a failure prints the steps, and the seed that brings it back.
"""

import asyncio
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from pydantic import SecretStr

from orchestrator.config import Settings
from orchestrator.db import make_engine
from orchestrator.embedded import Embedded
from orchestrator.keys import Keys
from orchestrator.wiring import make_redis
from tests.conftest import SECRET
from tests.model.clock import Clock
from tests.model.house import Belled, House, cut_commits
from tests.model.machine import Machine
from tests.model.provider import Line, Provider

EXAMPLES = int(os.environ.get("AVTALE_MODEL_EXAMPLES", "10"))
STEPS = int(os.environ.get("AVTALE_MODEL_STEPS", "50"))
SEED = int(os.environ.get("AVTALE_MODEL_SEED", "20261123"))
SHRINK = (Phase.shrink,) if os.environ.get("AVTALE_MODEL_SHRINK") else ()


def build(loop: asyncio.AbstractEventLoop, url: str) -> House:
    """A house on the database `url`."""
    clock = Clock()
    provider = Provider(clock)
    settings = Settings(
        secret_key=SecretStr(SECRET.decode()),
        base_url="https://avtale.example",
        organisation="Avtale",
        postal_address="Oslo",
    )
    app = Belled(
        settings=settings,
        engine=make_engine(url, pool_size=5),
        keys=Keys(SECRET),
        channels={"email": Line(provider, {})},
        redis=make_redis("redis://127.0.0.1:1"),
    )
    house = House(app, clock, provider)
    app.bells = house.bells
    loop.run_until_complete(house.build())
    return house


def test_the_laws_hold_whatever_happens(servers: Embedded, model_url: str) -> None:
    loop = asyncio.new_event_loop()
    house = build(loop, model_url)
    machine = type("Model", (Machine,), {"loop": loop, "house": house})
    try:
        with house.clock.in_place(), cut_commits(house.cuts):
            print(f"AVTALE_MODEL_SEED={SEED}")
            run_state_machine_as_test(
                seed(SEED)(machine),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    print_blob=True,
                    phases=(Phase.generate, *SHRINK),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        print(dict(sorted(house.counts.items())))
    finally:
        loop.run_until_complete(house.app.close())
        loop.close()


@pytest.fixture
def model_url(servers: Embedded) -> Iterator[str]:
    """A database of the model's own."""
    from orchestrator.ids import uuid7
    from tests.conftest import _admin, url_of

    name = f"t_{uuid7().hex}"
    asyncio.run(_admin(servers, f"create database {name} template avtale"))
    yield url_of(servers, name)
    asyncio.run(_admin(servers, f"drop database {name} with (force)"))
