"""`avtale users`, `avtale key` and `avtale audit`, as they are typed."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from orchestrator import config
from orchestrator.cli import app as cli
from orchestrator.embedded import Embedded
from tests.conftest import SECRET

Run = Callable[..., Result]


@pytest.fixture
def avtale(servers: Embedded, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on this test's database."""
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    monkeypatch.setenv("AVTALE_BASE_URL", "https://avtale.example/sales")
    config.get_settings.cache_clear()

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli, words)

    return run


def test_from_the_first_link_to_the_audit_log(avtale: Run) -> None:
    assert "no user yet" in avtale("users", "list").stderr
    claim = avtale("users", "claim").stdout.strip()
    assert claim.startswith("https://avtale.example/sales/console/claim/")
    made = avtale("users", "add", "Kari@Office.example", "--name", "Kari", "--role", "admin")
    assert "/console/password/" in made.stdout
    assert avtale("users", "claim").exit_code == 2
    assert avtale("users", "add", "ola@office.example", "--name", "Ola").exit_code == 0
    assert "ola@office.example" in avtale("users", "list").stdout
    assert "is rep now" in avtale("users", "role", "ola@office.example", "rep").stderr
    last = avtale("users", "disable", "kari@office.example")
    assert (last.exit_code, "last admin" in last.stderr) == (2, True)
    assert "is disabled" in avtale("users", "disable", "ola@office.example").stderr
    assert "/console/password/" in avtale("users", "reset", "kari@office.example").stdout
    assert avtale("users", "reset", "nobody@office.example").exit_code == 2
    told = avtale("audit", "--json").stdout
    assert '"action": "avtale users role"' in told
    assert '"actor_kind": "cli"' in told
    shown = avtale("audit", "--action", "avtale users role").stdout
    assert "role: ops → rep" in shown


def test_a_key_has_a_role_and_a_rep_is_somebody(avtale: Run) -> None:
    assert avtale("users", "add", "kari@office.example", "--name", "Kari").exit_code == 0
    nobodys = avtale("key", "create", "reps", "--scope", "*", "--role", "rep")
    assert (nobodys.exit_code, "say whose" in nobodys.stderr) == (2, True)
    made = avtale(
        *("key", "create", "karis", "--scope", "*", "--role", "rep"),
        *("--user", "kari@office.example"),
    )
    assert made.stdout.startswith("avk_")
    assert "rep (kari@office.example)" in avtale("key", "list").stdout
