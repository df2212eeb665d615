"""The pure rules through months of virtual time: the laws hold, and a seed brings it all back."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from channels.base import NotSent
from orchestrator.rules import gate, leaving, pacing
from orchestrator.rules.settlement import outcome
from tests.model import simulate as module
from tests.model.simulate import Broken, World, simulate
from tests.model.virtual import LaneState, lanes

SEEDS = (1, 20261123)


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> World:
    """Half a year of a few hundred people."""
    return simulate(seed=request.param, people=300, days=200)


def test_everything_that_can_happen_has_happened(world: World) -> None:
    """An idle simulation proves nothing: each deed of the gate and each fate of a message is in."""
    for what in ("unlock", "stop", "end", "hold", "postpone", "note", "auto_reply"):
        assert world.counts[f"engagement.{what}"], what
    for state in ("sent", "retry_wait", "in_doubt", "failed", "held"):
        assert world.counts[f"message.{state}"], state
    assert max(world.ledger.values()) == 1


def test_a_seed_replays_to_the_line() -> None:
    """Also in another process, where sets have another order."""
    here = simulate(seed=7, people=60, days=120).trace.hexdigest()
    assert simulate(seed=8, people=60, days=120).trace.hexdigest() != here
    command = [sys.executable, "-m", "tests.model.simulate", "--seed", "7"]
    done = subprocess.run(
        [*command, "--people", "60", "--days", "120"],
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-1] == here


def _always_go(_c: leaving.Circumstances, _now: datetime) -> leaving.Go:
    return leaving.Go()


def _at_once(_parts: Any, after: datetime) -> datetime:
    return after


def _believing(
    answer: gate.Answer, program: Any, standing: gate.Standing, now: datetime
) -> gate.Decision:
    interested = gate.Answer(answer.kind, "human", "interested")
    return _decide(interested if answer.kind == "click" else answer, program, standing, now)


def _no_cap(lane: pacing.Lane, now: datetime, batch: int) -> pacing.Room:
    return pacing.Room(batch, _room(lane, now, batch).day, lane.used)


def _retry_doubt(*given: Any, **named: Any) -> Any:
    found = _outcome(*given, **named)
    if found is not None and found.state == "in_doubt":
        return _outcome(NotSent("again", ""), **named)
    return found


_decide, _room, _outcome = gate.decide, pacing.room, outcome


@pytest.mark.parametrize(
    ("what", "without", "law"),
    [
        ("leaving.decide", _always_go, "L4|L5"),
        ("next_common_opening", _at_once, "L5"),
        ("gate.decide", _believing, "L1"),
        ("outcome", _retry_doubt, "L2"),
    ],
)
def test_a_rule_that_is_taken_out_is_noticed(
    monkeypatch: pytest.MonkeyPatch, what: str, without: Callable[..., Any], law: str
) -> None:
    monkeypatch.setattr(f"tests.model.simulate.{what}", without)
    with pytest.raises(Broken, match=law):
        simulate(seed=1, people=300, days=200)


def test_a_cap_that_is_not_heeded_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def crowded() -> list[LaneState]:
        return [LaneState(one.channel, one.zone, 1, 0, one.hours) for one in lanes()]

    def narrow(*given: Any) -> World:
        made = World(*given)
        made.lanes = crowded()
        return made

    monkeypatch.setattr(module, "World", narrow)
    simulate(seed=1, people=60, days=90)
    monkeypatch.setattr(pacing, "room", _no_cap)
    with pytest.raises(Broken, match="cap"):
        simulate(seed=1, people=60, days=90)
