"""The reader of incoming mail on real mail, on changes of it, and on mails that mean harm."""

import random
from pathlib import Path

import pytest

from orchestrator.rules import mail_reading
from tests.corpus import fuzz, labels, score, variants

present = pytest.mark.skipif(not score.BOUNCES.exists(), reason="../shared/corpora is not here")
pytestmark = pytest.mark.corpus


@present
def test_the_bounces_of_the_corpus_are_read() -> None:
    found = score.score(labels.sisimai(score.BOUNCES), score.BOUNCES)
    assert found.recipients / found.named >= 0.95, found.misses
    assert found.strict / found.classed >= 0.90, found.misses
    assert found.wide / found.classed >= 0.95, found.misses
    assert found.ids / found.with_id >= 0.95, found.misses
    assert (found.taken_for_people, found.taken_for_absence, found.exceptions) == (0, 0, 0)


def test_a_score_counts_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"From: ola@acme.example\nSubject: Re: hello\n\nJa takk\n")
    truth = labels.Truth(
        "a.eml", frozenset({"b@c.example"}), frozenset({"hard"}), frozenset({"hard"}), "1@2"
    )
    found = score.score([truth], tmp_path)
    assert (found.recipients, found.strict, found.wide, found.ids) == (0, 0, 0, 0)
    assert (found.named, found.classed, found.with_id, found.taken_for_people) == (1, 1, 1, 1)


@present
def test_what_a_gateway_changes_changes_no_verdict() -> None:
    same = asked = 0
    for truth in labels.sisimai(score.BOUNCES)[::5]:
        raw = (score.BOUNCES / truth.file).read_bytes()
        before = mail_reading.read(raw)
        for change in variants.SAME.values():
            after = mail_reading.read(change(raw))
            asked += 1
            same += (before.kind, before.class_) == (after.kind, after.class_)
            assert after.kind not in score.PEOPLE, (truth.file, change)
    assert same / asked >= 0.98


@present
def test_no_variant_of_a_bounce_or_complaint_is_a_person() -> None:
    taken = [
        (truth.file, name)
        for truth in labels.sisimai(score.BOUNCES)[::3]
        if "out_of_office" not in truth.classes
        for name, raw in variants.each((score.BOUNCES / truth.file).read_bytes())
        if name not in ("no_type", "no_extra", "half")
        and mail_reading.read(raw).kind in score.PEOPLE
    ]
    assert taken == []


@present
def test_no_mutation_is_slow_or_raises() -> None:
    seeds, dice = fuzz.corpus(), random.Random(20)
    mails = (fuzz.mutated(seeds, dice) for _ in range(250))
    found = fuzz.run(mails, slack=4)
    assert found.faults == []
    assert found.mails == 250


@pytest.mark.parametrize("piece", fuzz.NASTY)
def test_a_megabyte_of_anything_is_read_in_time(piece: bytes) -> None:
    body = piece * (fuzz.MOST // len(piece))
    head = b"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n"
    mails = [head + b"\n" + body, body, head + b"Content-Type: text/html\n\n" + body]
    assert fuzz.run(mails, slack=4).faults == []


def test_a_slow_mail_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "took", lambda raw: 1000.0 if raw == b"slow" else 0.001)
    assert len(fuzz.run([b"slow", b"fast"]).faults) == 1


def test_large_mails_take_little_more_memory_than_their_bytes() -> None:
    base = fuzz.peak("empty")
    for kind in ("text", "report"):
        # The mail itself twice, as it is made and as it is read; text and report are looked at
        # in part.
        assert fuzz.peak(kind) - base < 3 * 25_000_000, kind
