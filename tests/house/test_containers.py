"""docker-compose.yml and Dockerfile, read: there is no engine here to run them."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.main import get_command

from orchestrator import probe
from orchestrator.cli import app
from orchestrator.config import Settings
from orchestrator.db import transaction

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as compose reads it, anchors merged."""
    read: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return read


def test_each_process_runs_a_command_that_exists(compose: dict[str, Any]) -> None:
    known = get_command(app).commands  # type: ignore[attr-defined]  # a group, by its type
    for name in ("api", "worker", "migrate"):
        program, command = compose["services"][name]["command"].split()
        assert program == "avtale"
        assert command in known


def test_every_server_has_a_health_check_and_a_volume(compose: dict[str, Any]) -> None:
    for name in ("api", "worker", "postgres", "redis"):
        service = compose["services"][name]
        assert service["healthcheck"]["test"], name
        assert service["volumes"], name
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in compose["volumes"]


def test_nothing_starts_before_what_it_needs(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("api", "worker"):
        needs = services[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["redis"]["condition"] == "service_healthy"


def test_every_setting_of_the_example_and_of_compose_exists(compose: dict[str, Any]) -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    named = {line.lstrip("# ").partition("=")[0] for line in lines if "AVTALE_" in line}
    named |= set(compose["services"]["api"]["environment"])
    known = {f"AVTALE_{field.upper()}" for field in Settings.model_fields}
    assert {name for name in named if name.startswith("AVTALE_")} <= known


def test_the_image_copies_what_it_needs_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {
        line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line
    }
    assert {"orchestrator", "channels", "templates", "migrations"} <= copied
    assert any(line == "USER avtale" for line in lines)
    assert all((ROOT / path).exists() for path in copied)
    assert "--require-hashes" in (ROOT / "Dockerfile").read_text()


async def test_the_worker_s_health_is_its_own_heartbeat(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    host = socket.gethostname()
    for worker, age, code in (
        ("another-host:1:abc", "0 s", 1),
        (f"{host}:1:abc", "5 min", 1),
        (f"{host}:2:abc", "1 s", 0),
    ):
        async with transaction(engine) as conn:
            await conn.execute(
                text(
                    "insert into heartbeats (worker, beat_at)"
                    " values (:worker, clock_timestamp() - cast(:age as text)::interval)"
                ),
                {"worker": worker, "age": age},
            )
        assert await asyncio.to_thread(probe.main, "worker") == code


def test_an_api_that_does_not_answer_is_not_well() -> None:
    assert probe.main("http://127.0.0.1:9/healthz") == 1
