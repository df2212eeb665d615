"""`avtale profile send`: a real run, small, and the table that comes of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import stages
from orchestrator.sandbox.profiling import rows


def avtale(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with nothing of ours in its environment but a place for temporary files."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AVTALE_")}
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *words],
        env=env | {"AVTALE_ENV_FILE": "", "TMPDIR": str(home)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.mark.slow
def test_a_short_run_tells_of_every_stage_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = avtale("profile", "send", "--messages", "40", "--json", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["messages"] == 40
    assert found["cpu_us"] > 0
    assert found["per_second"] == pytest.approx(40 / found["seconds"])
    seen = {row["stage"]: row for row in found["stages"]}
    assert list(seen) == [name for name in stages.STAGES if name in seen]
    assert sum(row["share"] for row in found["stages"]) == pytest.approx(1)
    assert all(row["seconds"] > 0 for row in found["stages"])
    assert list(tmp_path.glob("avtale-profile-*")) == []


def test_too_few_messages_are_refused_in_words(tmp_path: Path) -> None:
    ended = avtale("profile", "send", "--messages", "3", home=tmp_path)
    assert ended.returncode == 2
    assert "--messages" in ended.stderr


def test_the_share_is_of_all_stages_seconds() -> None:
    found = {
        "claim": stages.Stage(100, 0.1, []),
        "smtp": stages.Stage(50, 0.3, []),
    }
    claim, smtp = rows(found)
    assert (claim.us, claim.share) == (pytest.approx(1000), pytest.approx(0.25))
    assert (smtp.us, smtp.share) == (pytest.approx(6000), pytest.approx(0.75))
    assert rows({}) == []
