"""Logs tell what happened and nothing about who it happened to."""

import json
import logging

import httpx
import pytest
import structlog

from orchestrator import logs

ADDRESS, PHONE = "ola.hansen@prospect.example", "+47 22 22 55 55"
TOKEN = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE"


@pytest.fixture(autouse=True)
def _restore() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    return None


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_addresses_phones_tokens_and_secrets_are_cut_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(level="INFO", as_json=True)
    log = structlog.get_logger()
    log.info(
        f"wrote to {ADDRESS}",
        to=[ADDRESS, {"deep": f"<{ADDRESS}>"}],
        phone=PHONE,
        link=f"http://x/p/{TOKEN}",
        password="hunter2",
        raw=b"Subject: secret",
        id="019aaaaa-0000-7000-8000-000000000000",
        ms=1.5,
    )
    logging.getLogger("library").warning("450 <%s> try later", ADDRESS)
    try:
        raise ValueError(f"bad address {ADDRESS}")
    except ValueError:
        log.exception("failed")
    lines = _lines(capsys)
    text = json.dumps(lines)
    for private in (ADDRESS, "ola.hansen", PHONE, TOKEN, "hunter2", "Subject"):
        assert private not in text, private
    assert lines[0]["id"] == "019aaaaa-0000-7000-8000-000000000000"
    assert lines[0]["ms"] == 1.5
    assert lines[0]["level"] == "info"
    assert lines[1]["logger"] == "library"
    assert "ValueError" in str(lines[2]["exception"])


def test_the_console_is_cleaned_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="INFO", as_json=False)
    structlog.get_logger().info("hello", who=ADDRESS)
    shown = capsys.readouterr().err
    assert "hello" in shown
    assert ADDRESS not in shown


@pytest.mark.parametrize(
    "kept",
    ["2026-11-24T09:00:00+01:00", "/api/prospects/{prospect_id}", "attempt 3 of 12", "10:00"],
)
def test_what_is_not_personal_stays(kept: str) -> None:
    assert logs.scrub(kept) == kept


async def test_the_clients_of_libraries_stay_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level="INFO", as_json=True)
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get(f"http://x/u/{TOKEN}")
    assert _lines(capsys) == []
