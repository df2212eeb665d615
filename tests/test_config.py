"""Where settings come from, and what a start says about those that nobody set."""

from pathlib import Path

import pytest

from orchestrator import config
from orchestrator.commands.common import out
from orchestrator.commands.up import lacking
from orchestrator.config import Settings
from orchestrator.errors import SetupError
from orchestrator.wiring import require_urls


def _read(monkeypatch: pytest.MonkeyPatch, place: Path, text: str) -> Settings:
    (place / ".env").write_text(text, encoding="utf-8")
    monkeypatch.chdir(place)
    monkeypatch.delenv("AVTALE_ENV_FILE")
    config.get_settings.cache_clear()
    try:
        return config.get_settings()
    finally:
        config.get_settings.cache_clear()


def test_the_file_beside_us_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = "AVTALE_ORGANISATION=Blåbær AS\nAVTALE_SECRET_KEY=\nPOSTGRES_PASSWORD=x\n"
    found = _read(monkeypatch, tmp_path, text)
    assert found.organisation == "Blåbær AS"
    assert found.secret_key is None  # set to nothing: not set, as in a fresh copy of the example


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AVTALE_ORGANISATION", "From the environment")
    found = _read(monkeypatch, tmp_path, "AVTALE_ORGANISATION=From the file\n")
    assert found.organisation == "From the environment"


def test_the_example_is_a_file_that_can_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    example = Path(__file__).parents[1] / ".env.example"
    assert _read(monkeypatch, tmp_path, example.read_text("utf-8")) == Settings()


def test_a_start_names_what_the_first_message_will_need() -> None:
    assert "AVTALE_ORGANISATION and AVTALE_POSTAL_ADDRESS into .env" in lacking(Settings())[0]
    assert lacking(Settings(organisation="Blåbær AS", postal_address="Storgata 1, Oslo")) == []


def test_without_servers_the_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"No `avtale up` runs on {tmp_path}: start it"):
        require_urls(Settings(data_dir=tmp_path))


def test_what_goes_to_a_file_is_not_cut_to_a_screen() -> None:
    assert out.width == 160
