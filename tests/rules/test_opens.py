"""Opens and clicks are graded machine or ambiguous, and never anything more (L1)."""

from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.opens import Grade, Hit, judge_click, judge_open, judge_view
from tests.make import NOW

BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1"
LONG_AGO = NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("hit", "reason"),
    [
        (Hit("HEAD", BROWSER), "not_a_get"),
        (Hit("GET", ""), "no_user_agent"),
        (Hit("GET", "   "), "no_user_agent"),
        (Hit("GET", "curl/8.5.0"), "known_robot"),
        (Hit("GET", "python-requests/2.32"), "known_robot"),
        (Hit("GET", "Mozilla/5.0 (compatible; bingbot/2.0)"), "known_robot"),
        (Hit("GET", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"), "known_robot"),
        (Hit("GET", "Mozilla/5.0 (X11) HeadlessChrome/131.0"), "known_robot"),
        (Hit("GET", "Barracuda Sentinel (EE)"), "known_robot"),
        (Hit("GET", BROWSER, "prefetch;prerender"), "declared_prefetch"),
    ],
)
def test_machines_are_machines_however_they_come(hit: Hit, reason: str) -> None:
    for verdict in (
        judge_open(hit, handed_at=LONG_AGO, now=NOW),
        judge_click(hit, handed_at=LONG_AGO, other_links_just_now=0, now=NOW),
        judge_view(hit),
    ):
        assert verdict.grade == "machine"
        assert reason in verdict.reasons


@pytest.mark.parametrize(
    "agent",
    [
        BROWSER,
        "Mozilla/5.0 (Windows NT 5.1) Gecko/2009 Firefox/3.0.7 (via ggpht.com GoogleImageProxy)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36 Edg/131",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    ],
)
def test_what_may_be_a_person_is_ambiguous(agent: str) -> None:
    assert judge_open(Hit("GET", agent), handed_at=LONG_AGO, now=NOW).grade == "ambiguous"


def test_apple_fetches_every_picture_so_an_open_of_it_says_nothing() -> None:
    verdict = judge_open(Hit("GET", "Mozilla/5.0"), handed_at=LONG_AGO, now=NOW)
    assert (verdict.grade, verdict.reasons) == ("machine", ("prefetch_proxy",))


@pytest.mark.parametrize(
    ("handed_at", "grade"),
    [
        (None, "machine"),
        (NOW, "machine"),
        (NOW - timedelta(seconds=1.99), "machine"),
        (NOW - timedelta(seconds=2), "ambiguous"),
    ],
)
def test_nobody_reads_within_two_seconds(handed_at, grade) -> None:
    hit = Hit("GET", BROWSER)
    assert judge_open(hit, handed_at=handed_at, now=NOW).grade == grade
    assert judge_click(hit, handed_at=handed_at, other_links_just_now=0, now=NOW).grade == grade


def test_several_links_at_once_are_a_scanner() -> None:
    verdict = judge_click(Hit("GET", BROWSER), handed_at=LONG_AGO, other_links_just_now=1, now=NOW)
    assert (verdict.grade, verdict.reasons) == ("machine", ("several_links_at_once",))


@given(
    method=st.text(max_size=8),
    agent=st.text(max_size=300),
    purpose=st.text(max_size=20),
    others=st.integers(0, 50),
    age=st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=400)),
)
def test_nothing_that_is_fetched_is_ever_human(method, agent, purpose, others, age) -> None:
    hit = Hit(method, agent, purpose)
    handed = None if age is None else NOW - age
    verdicts = (
        judge_open(hit, handed_at=handed, now=NOW),
        judge_click(hit, handed_at=handed, other_links_just_now=others, now=NOW),
        judge_view(hit),
    )
    assert (
        {verdict.grade for verdict in verdicts}
        <= set(get_args(Grade))
        == {
            "machine",
            "ambiguous",
        }
    )
