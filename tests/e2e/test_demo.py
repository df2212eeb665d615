"""The whole way, as `avtale demo --auto` plays it: real servers, SMTP, HTTP and command line."""

import json
import subprocess
import sys

import pytest

STAGES = [
    *("imported", "published", "enrolled", "sent", "opened", "clicked"),
    *("replied", "stopped", "unlocked", "booked", "invited"),
    *("slack", "slack_connect", "network", "manual"),
]


@pytest.mark.slow
def test_the_demo_plays_itself_to_the_end() -> None:
    played = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", "demo", "--auto"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert played.returncode == 0, played.stdout + played.stderr[-4000:]
    *lines, last = played.stdout.strip().splitlines()
    summary = json.loads(last)
    assert all(summary[stage] for stage in STAGES)
    assert summary["refused"] == {
        "call_page_before_unlock": True,
        "sql_booking_without_unlock": True,
        "publish_without_engagement": True,
    }
    assert [line.split()[1] for line in lines] == [*STAGES, "refused"]
