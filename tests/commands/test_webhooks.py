"""`avtale webhooks`: what it prints, and how it ends."""

import asyncio
import json

import pytest
from typer.testing import CliRunner, Result

from orchestrator import config
from orchestrator.commands.webhooks import app
from orchestrator.embedded import Embedded
from orchestrator.errors import AvtaleError
from tests.conftest import SECRET


def avtale(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


async def test_from_adding_a_subscription_to_removing_it(
    servers: Embedded, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    monkeypatch.setenv("AVTALE_EGRESS_ALLOW", "127.0.0.1:9000")
    config.get_settings.cache_clear()
    try:
        await asyncio.to_thread(_tour)
    finally:
        config.get_settings.cache_clear()


def _tour() -> None:
    refused = avtale("add", "http://127.0.0.1:9001/")
    assert refused.exit_code == 2
    assert "must not be reached" in refused.stderr
    wrong = avtale("add", "http://127.0.0.1:9000/", "--kind", "bookings.*")
    assert wrong.exit_code == 2
    assert "no kind of event" in wrong.stderr

    made = avtale("add", "http://127.0.0.1:9000/", "--kind", "booking.*", "--about", "the CRM")
    assert made.exit_code == 0, made.stderr
    secret = made.stdout.strip()
    assert secret.startswith("whsec_")
    assert secret not in made.stderr
    (row,) = json.loads(avtale("list", "--json").stdout)
    assert row["kinds"] == ["booking.*"]
    assert "secrets" not in row
    which = row["id"]
    for shown in (avtale("list"), avtale("show", which), avtale("show", which, "--json")):
        assert shown.exit_code == 0
        assert secret not in shown.stdout
    assert "live" in avtale("show", which).stdout

    assert avtale("test", which).exit_code == 0
    (delivery,) = json.loads(avtale("deliveries", which, "--json").stdout)
    assert delivery["kind"] == "subscription.test"
    assert avtale("deliveries", which, "--state", "failed").exit_code == 0
    again = avtale("redeliver", which, delivery["id"])
    assert "1 to be delivered again" in again.stderr
    assert "0 to be delivered again" in avtale("redeliver", which, "--failed").stderr
    assert isinstance(avtale("redeliver", which).exception, AvtaleError)

    rotated = avtale("rotate", which, "--overlap", "2", "--json")
    assert json.loads(rotated.stdout)["secret"] != secret
    assert avtale("disable", which).exit_code == 0
    assert "disabled: by hand" in avtale("show", which).stdout
    assert avtale("test", which).exit_code == 2
    assert avtale("enable", which, "--skip-missed").exit_code == 0
    assert avtale("remove", which).exit_code == 0
    assert avtale("show", which).exit_code == 2
