"""`avtale sequence`: what it prints, and how it ends."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from orchestrator import config
from orchestrator.commands.sequence import app
from orchestrator.db import transaction
from orchestrator.embedded import Embedded
from orchestrator.store import sequences
from tests.conftest import SECRET

GOOD = """sequence: try
language: nb
steps:
  - {id: hello, send: {subject: Hei, text: Hei}}
  - {until: engaged, within: 2 days, then: offer, otherwise: end}
  - {id: offer, call: {host: sales, length: 20 minutes}}
"""
BAD = GOOD.replace("otherwise: end", "otherwise: offer")


def avtale(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "try.yaml"
    made.write_text(GOOD, "utf-8")
    return made


def test_check_is_quiet_about_a_good_file(file: Path) -> None:
    result = avtale("check", file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no fault" in result.stderr


def test_check_prints_each_fault_with_its_place(file: Path) -> None:
    file.write_text(BAD, "utf-8")
    result = avtale("check", file)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{file}:6:17: the call `offer` can be reached without")
    (told,) = json.loads(avtale("check", "--json", file).stdout)
    assert (told["file"], told["faults"][0]["line"]) == (str(file), 6)


def test_check_says_what_it_cannot_read(tmp_path: Path) -> None:
    assert avtale("check", tmp_path / "none.yaml").exit_code == 2
    broken = tmp_path / "latin.yaml"
    broken.write_bytes("sequence: try\nabout: Bokføring".encode("latin-1"))
    result = avtale("check", broken)
    assert (result.exit_code, "latin.yaml:2:1: not UTF-8" in result.stderr) == (2, True)


@pytest.mark.parametrize("language", ["nb", "sv", "en"])
def test_new_writes_a_file_that_checks_clean_and_never_overwrites(
    tmp_path: Path, language: str
) -> None:
    assert avtale("new", "mine", "--language", language, "--to", tmp_path).exit_code == 0
    made = tmp_path / "mine.yaml"
    assert "\nsequence: mine\n" in made.read_text("utf-8")
    assert avtale("check", made).exit_code == 0
    assert avtale("new", "mine", "--to", tmp_path).exit_code == 2


def test_new_says_which_languages_there_are(tmp_path: Path) -> None:
    result = avtale("new", "mine", "--language", "fi", "--to", tmp_path)
    assert (result.exit_code, "choose nb, sv, en" in result.stderr) == (2, True)
    assert avtale("new", "My Own", "--to", tmp_path).exit_code == 2


def test_show_draws_a_file_as_a_plan(file: Path) -> None:
    drawn = avtale("show", file).stdout
    assert "offer a call of 20" in drawn
    assert "after an answer" in drawn
    assert json.loads(avtale("show", "--json", file).stdout)["sequence"] == "try"
    assert avtale("show", "--source", file).stdout == GOOD


async def test_from_a_file_to_versions_and_back(
    file: Path,
    servers: Embedded,
    database_url: str,
    engine: AsyncEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    config.get_settings.cache_clear()
    try:
        await asyncio.to_thread(_publish_and_change, file)
    finally:
        config.get_settings.cache_clear()
    async with transaction(engine) as conn:
        row = await sequences.get(conn, "try")
    assert row is not None
    assert row.state == "archived"


def _publish_and_change(file: Path) -> None:
    published = avtale("publish", file)
    assert published.exit_code == 0, published.output
    assert "try version 1 published" in published.stderr
    assert "there is no host `sales` yet" in published.stderr
    assert "nothing changed" in avtale("publish", file).stderr
    assert "say the same" in avtale("diff", file).stderr

    file.write_text(GOOD.replace("text: Hei", "text: Hallo"), "utf-8")
    assert "+    Hallo" in avtale("diff", file).stdout
    assert json.loads(avtale("publish", "--json", file).stdout)["number"] == 2
    assert "+    Hallo" in avtale("diff", "try").stdout
    assert "-    Hallo" in avtale("diff", "try", 2, 1).stdout
    assert avtale("show", "try", "--version", 1, "--source").stdout == GOOD
    assert avtale("show", "try", "--version", 7).exit_code == 2

    file.write_text(BAD, "utf-8")
    refused = avtale("publish", file)
    assert refused.exit_code == 1
    assert "without an engagement" in refused.stderr

    assert json.loads(avtale("list", "--json").stdout)[0]["version"] == 2
    assert "try" in avtale("list").stdout
    for verb in ("pause", "resume", "archive"):
        assert avtale(verb, "try").exit_code == 0
    assert avtale("pause", "none").exit_code == 2
