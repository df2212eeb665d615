"""The root of the command line: errors are one red line and exit 2; keys, migrations, the note."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator import cli, config, endpoints
from orchestrator.commands import common
from orchestrator.config import Settings
from orchestrator.embedded import Embedded
from orchestrator.errors import SetupError
from tests.conftest import SECRET

runner = CliRunner()


@pytest.fixture
def installed(
    servers: Embedded, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """The environment of an installation."""
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    monkeypatch.setenv("AVTALE_DATA_DIR", str(tmp_path))
    config.get_settings.cache_clear()
    return database_url


@pytest.fixture(autouse=True)
def _fresh_settings() -> object:
    config.get_settings.cache_clear()
    yield
    config.get_settings.cache_clear()
    return None


def test_every_area_hangs_under_the_root() -> None:
    shown = runner.invoke(cli.app, ["--help"]).output
    for names in cli.AREAS.values():
        if names:
            assert names[0] in shown
            for name in names:
                assert runner.invoke(cli.app, [name, "--help"]).exit_code == 0
    for command in ("up", "demo", "enroll", "why", "api", "worker", "migrate", "secret"):
        assert runner.invoke(cli.app, [command, "--help"]).exit_code == 0, command
    assert runner.invoke(cli.app, ["--version"]).output.startswith("avtale ")


def test_a_key_is_shown_once_and_ends_when_it_is_revoked(installed: str) -> None:
    made = runner.invoke(cli.app, ["key", "create", "crm", "--scope", "*:read"])
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert secret.startswith("avk_")
    listed = runner.invoke(cli.app, ["key", "list", "--json"])
    assert secret not in listed.output
    assert json.loads(listed.stdout)[0]["scopes"] == ["*:read"]
    twice = runner.invoke(cli.app, ["key", "create", "crm", "--scope", "*"])
    assert twice.exit_code == 2
    assert "crm already" in twice.stderr
    wrong = runner.invoke(cli.app, ["key", "create", "other", "--scope", "people:read"])
    assert wrong.exit_code == 2
    assert "is no scope" in wrong.stderr
    assert runner.invoke(cli.app, ["key", "revoke", "crm"]).exit_code == 0


def test_migrate_and_check_agree(installed: str) -> None:
    assert runner.invoke(cli.app, ["migrate"]).exit_code == 0
    checked = runner.invoke(cli.app, ["check-migrations"])
    assert checked.exit_code == 0, checked.stderr


def test_why_of_nobody_is_one_line(installed: str) -> None:
    asked = runner.invoke(cli.app, ["why", "nobody@prospect.example"])
    assert asked.exit_code == 2
    assert asked.stdout == ""
    assert asked.stderr.count("\n") == 1


def test_servers_that_do_not_answer_are_one_line(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVTALE_DATABASE_URL", "postgresql://x@127.0.0.1:1/x")
    asked = runner.invoke(cli.app, ["why", "ola"])
    assert asked.exit_code == 2
    assert "does not answer" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_secrets_are_new_each_time() -> None:
    first, second = (runner.invoke(cli.app, ["secret"]).stdout.strip() for _ in range(2))
    assert len(first) == 64
    assert first != second


def test_the_note_of_a_running_up_is_found(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("k" * 40 + "\n")
    note = {"database_url": "postgresql:///x", "redis_url": "unix:///y", "sandbox": True,
            "secret_key_file": str(tmp_path / "secret.key"), "later": 1}  # fmt: skip
    (tmp_path / endpoints.FILE).write_text(json.dumps(note))
    found = endpoints.find_servers(Settings(data_dir=tmp_path))
    assert (found.database_url, found.redis_url, found.sandbox) == (
        "postgresql:///x",
        "unix:///y",
        True,
    )
    assert found.secret_key is not None
    assert found.secret_key.get_secret_value() == "k" * 40
    own = Settings(data_dir=tmp_path, database_url="postgresql:///own")
    assert endpoints.find_servers(own) is own
    (tmp_path / endpoints.FILE).write_text("{")
    with pytest.raises(SetupError, match="avtale up"):
        endpoints.find_servers(Settings(data_dir=tmp_path))


def test_main_turns_an_error_outside_of_run_into_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise SetupError("set [AVTALE_X] first")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr(cli.logs, "configure", lambda **_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "set [AVTALE_X] first" in capsys.readouterr().err


def test_emit_writes_what_stores_return(capsys: pytest.CaptureFixture[str]) -> None:
    common.emit({"id": __import__("uuid").UUID(int=7), "path": Path("a"), "set": {2, 1}})
    assert json.loads(capsys.readouterr().out)["set"] == [1, 2]
