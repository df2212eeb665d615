"""`avtale hosts`: what it prints, and how it ends."""

import asyncio
import json

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from orchestrator import config
from orchestrator.commands.hosts import app
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.keys import Keys
from orchestrator.rules.host import week_lines, weekly_of
from orchestrator.store import hosts
from tests import make
from tests.conftest import SECRET
from tests.flows.call_world import person


def avtale(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_hours_as_people_write_them() -> None:
    weekly = weekly_of(["mon-thu 09:00-11:30, 12:30-16:00", "sat 10:00-12:00"])
    assert weekly["mon"] == weekly["thu"] == ["09:00-11:30", "12:30-16:00"]
    assert "fri" not in weekly
    assert week_lines(weekly) == ["mon-thu 09:00-11:30, 12:30-16:00", "sat 10:00-12:00"]
    assert weekly_of(week_lines(weekly)) == weekly
    for wrong in ("mon", "someday 09:00-10:00", "mon 10:00-09:00", "mon 09:00-11:00, 10:00-12:00"):
        with pytest.raises(ValueError, match=r"hours|days|ends before|overlap"):
            weekly_of([wrong])


async def test_from_adding_a_host_to_removing_it(
    servers: Embedded,
    database_url: str,
    engine: AsyncEngine,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    config.get_settings.cache_clear()
    try:
        await asyncio.to_thread(_add_and_change)
        async with transaction(engine) as conn:
            assert (await hosts.by_name(conn, "oslo"))["notice_minutes"] == 1440
            await person(conn, keys, await make.world(conn))
        await asyncio.to_thread(_remove)
    finally:
        config.get_settings.cache_clear()


def _add_and_change() -> None:
    who = ("--display-name", "Kari Nordmann", "--email", "Kari@sender.example")
    week = ("--hours", "mon-sun 00:00-24:00")
    made = avtale("add", "oslo", *who, "--zone", "UTC", *week, "--slot", 60)
    assert made.exit_code == 0, made.output
    again = avtale("add", "oslo", *who, "--zone", "Europe/Oslo")
    assert (again.exit_code, "There is a host called" in again.stderr) == (2, True)
    wrong = avtale("add", "mars", *who, "--zone", "Mars/Olympus")
    assert (wrong.exit_code, "is no zone" in wrong.stderr) == (2, True)

    assert avtale("set", "oslo", "--notice", 1440).exit_code == 0
    (row,) = json.loads(avtale("list", "--json").stdout)
    assert (row["email"], row["calls_ahead"]) == ("kari@sender.example", 0)
    assert "mon-sun" in avtale("list").stdout

    starts = json.loads(avtale("slots", "oslo", "--minutes", 30, "--json").stdout)
    assert len(starts) > 24 * 18
    shown = avtale("slots", "oslo", "--zone", "Asia/Kathmandu").stdout
    assert "03:45" in shown

    day = starts[100][:10]
    assert avtale("exception", "add", "oslo", day).exit_code == 0
    assert avtale("exception", "add", "oslo", day, "--hours", "9-10").exit_code == 2
    fewer = json.loads(avtale("slots", "oslo", "--minutes", 30, "--json").stdout)
    assert len(fewer) == len(starts) - 24
    assert json.loads(avtale("show", "oslo").stdout)["exceptions"] == [
        {"day": day, "hours": [], "note": ""}
    ]
    assert avtale("exception", "remove", "oslo", day).exit_code == 0
    assert "ordinary" in avtale("exception", "remove", "oslo", day).stderr
    assert avtale("set", "oslo", "--no-hours").exit_code == 0
    assert "No free times" in avtale("slots", "oslo").stderr


def _remove() -> None:
    assert avtale("remove", "oslo").exit_code == 0
    assert avtale("show", "oslo").exit_code == 2
    used = avtale("remove", "sales")
    assert (used.exit_code, "--no-hours" in used.stderr) == (2, True)
