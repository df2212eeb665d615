"""The sampler sees the module that works, and adds up to all of it."""

import time
from collections import Counter

from bench.sampler import LOOP, sampled, shares
from orchestrator.rules.addresses import email


def test_what_works_is_seen() -> None:
    until = time.process_time() + 0.3
    with sampled() as found:
        while time.process_time() < until:
            email("Kari.Nordmann+list@Sender.Example")
    assert found["orchestrator/rules/addresses.py"] > 0
    assert set(found) <= {"orchestrator/rules/addresses.py", LOOP}


def test_nothing_is_seen_afterwards() -> None:
    with sampled() as found:
        pass
    before = found.total()
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert found.total() == before


def test_shares_are_of_the_whole() -> None:
    found = Counter({"a": 50, "b": 30, "c": 15, "d": 5})
    assert shares(found, most=2) == {"a": 50.0, "b": 30.0, "everything else": 20.0}
    assert shares(found) == {"a": 50.0, "b": 30.0, "c": 15.0, "d": 5.0}
    assert shares(Counter()) == {}
