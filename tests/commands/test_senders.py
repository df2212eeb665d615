"""`avtale senders`: what a person types, and what is never printed."""

import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from typer.testing import CliRunner

from orchestrator.config import get_settings
from orchestrator.embedded import Embedded
from tests.conftest import SECRET

CANARY = "canary-password"
Type = Callable[..., Result]


@pytest.fixture
def typed(servers: Embedded, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Type]:
    monkeypatch.setenv("AVTALE_DATABASE_URL", database_url)
    monkeypatch.setenv("AVTALE_REDIS_URL", servers.endpoints.redis_url)
    monkeypatch.setenv("AVTALE_SECRET_KEY", SECRET.decode())
    get_settings.cache_clear()

    def run(*words: str, stdin: str = "") -> Result:
        from orchestrator.commands.senders import app

        return CliRunner().invoke(app, words, input=stdin)

    yield run
    get_settings.cache_clear()


ADD = ("add", "kari", "--address", "kari@sender.example", "--host", "mx.sender.example",
       "--username", "kari", "--zone", "Europe/Oslo", "--daily-cap", "40")  # fmt: skip


def test_a_sender_is_added_shown_changed_paused(typed: Type) -> None:
    added = typed(*ADD, "--password-stdin", stdin=f"{CANARY}\n")
    assert added.exit_code == 0, added.output
    shown = typed("show", "kari")
    assert json.loads(shown.stdout)["has_secrets"] is True
    assert typed("set", "kari", "--daily-cap", "7").exit_code == 0
    assert typed("pause", "kari", "--reason", "holiday").exit_code == 0
    listed = typed("list", "--json")
    [row] = json.loads(listed.stdout)
    assert (row["daily_cap"], row["pause_reason"]) == (7, "holiday")
    assert typed("resume", "kari").exit_code == 0
    assert "ready" in typed("list").stdout
    for result in (added, shown, listed):
        assert CANARY not in result.output


def test_where_nobody_can_be_asked_the_environment_is(
    typed: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = typed(*ADD)
    assert refused.exit_code != 0
    assert "AVTALE_SENDER_PASSWORD" in f"{refused.output}{refused.exception}"
    monkeypatch.setenv("AVTALE_SENDER_PASSWORD", CANARY)
    get_settings.cache_clear()
    assert typed(*ADD).exit_code == 0


def test_an_error_is_one_line(typed: Type) -> None:
    result = typed("pause", "nobody")
    assert result.exit_code == 2
    assert "no sender called `nobody`" in result.output


def test_a_sender_on_another_channel_is_saved_twice_and_is_one(typed: Type) -> None:
    save = ("save", "kari-network", "--channel", "linkedin", "--address", "kari-lunde")
    added = typed(*save, "--set", "mode=manual", "--daily-cap", "5")
    assert added.exit_code == 0, added.output
    key = json.dumps({"api_key": CANARY, "webhook_secret": CANARY})
    terms = typed(
        *(*save, "--set", "mode=automatic", "--set", "account_id=acc_1", "--secrets-stdin"),
        stdin=key,
    )
    assert "terms_accepted" in f"{terms.output}{terms.exception}"
    agreed = (
        "--set",
        "mode=automatic",
        "--set",
        "account_id=acc_1",
        "--set",
        "terms_accepted=true",
    )
    changed = typed(*save, *agreed, "--secrets-stdin", stdin=key)
    assert changed.exit_code == 0, changed.output
    shown = typed("show", "kari-network")
    assert json.loads(shown.stdout)["settings"]["terms_accepted"] is True
    assert CANARY not in shown.output + changed.output
    assert typed("save", "kari-network", "--channel", "slack").exit_code != 0
    assert typed(*save, "--set", "mode").exit_code != 0
    assert typed(*save, "--secrets-stdin", stdin="canary").exit_code != 0


def test_a_sender_on_any_channel_is_added_by_its_own_settings(typed: Type) -> None:
    network = ("add", "kari-network", "--channel", "linkedin", "--address", "kari-lunde")
    automatic = ("--set", "mode=automatic", "--set", "account_id=acc_1", "--secrets-stdin")
    keys = json.dumps({"api_key": CANARY, "webhook_secret": CANARY})
    refused = typed(*network, *automatic, stdin=keys)
    assert refused.exit_code == 2
    for words in ("off until you turn it on", "User Agreement", "terms_accepted"):
        assert words in " ".join(refused.output.split())
    assert CANARY not in refused.output
    by_hand = typed(*network)
    assert by_hand.exit_code == 0, by_hand.output
    turned = typed("set", "kari-network", *automatic, "--set", "terms_accepted=true", stdin=keys)
    assert turned.exit_code == 0, turned.output
    slack = ("add", "kari-slack", "--channel", "slack", "--address", "T0ACME0001:U0KARI0001")
    assert "workspace" in typed(*slack).output
    without = typed(*slack, "--set", "workspace=T0ACME0001")
    assert "bot_token" in without.output
    tokens = json.dumps({"bot_token": CANARY, "signing_secret": CANARY})
    added = typed(*slack, "--set", "workspace=T0ACME0001", "--secrets-stdin", stdin=tokens)
    assert added.exit_code == 0, added.output
    shown = typed("show", "kari-slack")
    assert json.loads(shown.stdout)["channel"] == "slack"
    assert CANARY not in shown.output
    listed = json.loads(typed("list", "--json").stdout)
    assert {row["name"]: row["channel"] for row in listed} == {
        "kari-network": "linkedin",
        "kari-slack": "slack",
    }


def test_a_mailbox_without_its_server_is_told_so(typed: Type) -> None:
    refused = typed("add", "kari", "--address", "kari@sender.example")
    assert refused.exit_code == 2
    assert "host" in refused.output


def test_what_cannot_be_asked_for_or_read_is_refused_in_words(typed: Type) -> None:
    add = ("add", "x", "--channel", "carrier-pigeon", "--address", "x")
    assert "There is no channel `carrier-pigeon`" in typed(*add).output
    slack = ("add", "x", "--channel", "slack", "--address", "T0ACME0001:U0KARI0001")
    assert "--secrets-stdin" in str(typed(*slack, "--secret", "bot_token").exception)
    assert "NAME=VALUE" in str(typed(*slack, "--set", "workspace").exception)
    assert "JSON object" in str(typed(*slack, "--secrets-stdin", stdin="[1]").exception)
