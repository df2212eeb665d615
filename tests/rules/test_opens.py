"""Opens and clicks are graded machine or ambiguous, and never anything more (L1)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import hits
from orchestrator.rules.opens import (
    AFTER_PROBE,
    AROUND_TRAP,
    TOGETHER,
    TOO_FAST_TO_CLICK,
    Grade,
    Hit,
    Kind,
    Trace,
    judge_click,
    judge_message,
    judge_open,
    judge_view,
)
from tests.make import NOW

BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"
GMAIL = "Mozilla/5.0 (Windows NT 5.1) Gecko/2009 Firefox/3.0.7 (via ggpht.com GoogleImageProxy)"
LONG_AGO = NOW - timedelta(hours=1)
SECOND = timedelta(seconds=1)
PERSON = Hit("GET", CHROME, language=True, mode="navigate", fetcher="person")
SCANNER = Hit("GET", CHROME, fetcher="scanner")


def trace(kind: Kind, after: float = 0, hit: Hit = PERSON, link: str = "") -> Trace:
    """A hit so many seconds from NOW."""
    return Trace(kind, link or ("a" if kind == "click" else ""), NOW + after * SECOND, hit)


def grades(*traces: Trace) -> list[str]:
    """The grade of each hit on a message that left long ago."""
    return [verdict.grade for verdict in judge_message(traces, handed_at=LONG_AGO)]


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
        (Hit("GET", "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient)"), "known_robot"),
        (Hit("GET", "Mozilla/5.0 (X11) HeadlessChrome/131.0"), "known_robot"),
        (Hit("GET", "Barracuda Sentinel (EE)"), "known_robot"),
        (Hit("GET", BROWSER, "prefetch;prerender"), "declared_prefetch"),
        (Hit("GET", BROWSER, robot_header=True), "says_robot"),
        (Hit("GET", BROWSER, networks=frozenset({"datacentre"})), "datacentre_network"),
        (Hit("GET", BROWSER, networks=frozenset({"scanner"})), "scanner_network"),
    ],
)
def test_machines_are_machines_however_they_come(hit: Hit, reason: str) -> None:
    for verdict in (
        judge_open(hit, handed_at=LONG_AGO, now=NOW),
        judge_click(hit, handed_at=LONG_AGO, now=NOW),
        judge_view(hit),
    ):
        assert verdict.grade == "machine"
        assert reason in verdict.reasons


@pytest.mark.parametrize(
    "agent",
    [
        BROWSER,
        GMAIL,
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36 Edg/131",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
        "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 Chrome/131.0 Mobile",
    ],
)
def test_what_may_be_a_person_is_ambiguous(agent: str) -> None:
    hit = Hit("GET", agent, language=True)
    assert judge_open(hit, handed_at=LONG_AGO, now=NOW).grade == "ambiguous"
    assert judge_click(hit, handed_at=LONG_AGO, now=NOW).grade == "ambiguous"


@pytest.mark.parametrize("networks", [set(), {"datacentre"}, {"proxy", "datacentre"}])
def test_a_proxy_fetches_for_a_person_wherever_it_stands(networks: set[str]) -> None:
    hit = Hit("GET", GMAIL, networks=frozenset(networks))
    verdict = judge_open(hit, handed_at=LONG_AGO, now=NOW)
    assert (verdict.grade, verdict.reasons) == ("ambiguous", ("proxied_for_a_person",))


def test_apple_fetches_every_picture_so_an_open_of_it_says_nothing() -> None:
    verdict = judge_open(Hit("GET", "Mozilla/5.0"), handed_at=LONG_AGO, now=NOW)
    assert (verdict.grade, verdict.reasons) == ("machine", ("prefetch_proxy",))
    relayed = Hit("GET", BROWSER, language=True, networks=frozenset({"prefetch"}))
    assert judge_open(relayed, handed_at=LONG_AGO, now=NOW).reasons == ("prefetch_network",)


def test_a_click_through_apples_relay_is_as_good_as_any_other() -> None:
    """People browse through it; nothing prefetches what they follow."""
    relayed = Hit("GET", BROWSER, language=True, networks=frozenset({"prefetch"}))
    assert judge_click(relayed, handed_at=LONG_AGO, now=NOW).grade == "ambiguous"


@pytest.mark.parametrize(
    ("handed_at", "opened", "clicked"),
    [
        (None, "machine", "machine"),
        (NOW, "machine", "machine"),
        (NOW - 1.99 * SECOND, "machine", "machine"),
        (NOW - 2 * SECOND, "ambiguous", "machine"),
        (NOW - TOO_FAST_TO_CLICK, "ambiguous", "ambiguous"),
    ],
)
def test_nobody_reads_that_fast(handed_at: Any, opened: str, clicked: str) -> None:
    assert judge_open(PERSON, handed_at=handed_at, now=NOW).grade == opened
    assert judge_click(PERSON, handed_at=handed_at, now=NOW).grade == clicked


def test_b1_scanners_that_pose_as_chrome_are_found_without_any_list() -> None:
    """B1: SafeLinks, Mimecast, Proofpoint, Barracuda: plain Chrome, from anywhere, at any time."""
    posing = Hit("GET", CHROME, language=False)
    assert judge_click(posing, handed_at=LONG_AGO, now=NOW).reasons == (
        "browser_without_languages",
    )
    careful = replace(PERSON, fetcher="")
    for hits_on_one in (
        [trace("click", 0, careful, "a"), trace("click", 3, careful, "b")],
        [trace("click", 0, careful, "a"), trace("trap", 20, careful)],
        [trace("click", 0, replace(careful, method="HEAD"), "a"), trace("click", 90, posing, "a")],
    ):
        assert grades(*hits_on_one) == ["machine", "machine"]


def test_the_second_link_makes_a_machine_of_the_first() -> None:
    first, later = trace("click", 0, link="a"), trace("click", 3, link="b")
    assert grades(first) == ["ambiguous"]
    assert grades(first, later) == ["machine", "machine"]
    assert grades(first, trace("click", 3, link="a")) == ["ambiguous", "ambiguous"]
    far = trace("click", TOGETHER.total_seconds() + 1, link="b")
    assert grades(first, far) == ["ambiguous", "ambiguous"]


def test_the_hidden_link_gives_away_its_fetcher_however_late() -> None:
    early, late = trace("click", -3000, SCANNER), trace("open", 3000, SCANNER)
    person = trace("click", 3000, PERSON, "b")
    verdicts = judge_message([early, trace("trap", 0, SCANNER), late, person], handed_at=None)
    assert "fetcher_of_hidden_link" in verdicts[0].reasons
    assert "fetcher_of_hidden_link" in verdicts[2].reasons
    assert verdicts[3].reasons == ("before_it_left",)


def test_who_clicks_beside_the_hidden_link_is_the_scanner_by_another_address() -> None:
    trap, edge = trace("trap", 0, SCANNER), AROUND_TRAP.total_seconds()
    assert grades(trap, trace("click", edge, PERSON))[1] == "machine"
    assert grades(trap, trace("click", edge + 1, PERSON))[1] == "ambiguous"
    assert grades(trap, trace("open", edge, PERSON))[1] == "machine"
    proxied = Hit("GET", GMAIL, fetcher="google")  # a person may look while their gateway does
    assert grades(trap, trace("open", 1, proxied))[1] == "ambiguous"


def test_who_is_not_known_is_nobodys_double() -> None:
    nobody = replace(PERSON, fetcher="")
    assert grades(trace("trap", 0, nobody), trace("click", 3000, nobody))[1] == "ambiguous"


def test_a_robot_that_asks_for_the_head_first_is_known_again() -> None:
    head, edge = replace(PERSON, method="HEAD"), AFTER_PROBE.total_seconds()
    assert grades(trace("click", 0, head), trace("click", 1, PERSON))[1] == "machine"
    assert grades(trace("click", 0, head), trace("click", edge + 1, PERSON))[1] == "ambiguous"
    other = replace(head, fetcher="gateway")
    assert grades(trace("click", 0, other), trace("click", 1, PERSON))[1] == "ambiguous"


def test_b4_one_click_that_two_hosts_report_stays_one_click_of_a_person() -> None:
    """B4: +12 s, another address, another system: whichever it was, it takes nothing from the
    person, and the two earn no more than one."""
    other = Hit("GET", BROWSER, language=True, fetcher="other")
    assert grades(trace("click", 0), trace("click", 12, other)) == ["ambiguous", "ambiguous"]
    cloud = replace(other, networks=frozenset({"datacentre"}))
    assert grades(trace("click", 0), trace("click", 12, cloud)) == ["ambiguous", "machine"]


def test_a_scan_at_the_time_of_the_click_takes_nothing_from_the_click() -> None:
    """SafeLinks looks at the link right before it lets the person through."""
    scan = Hit("GET", CHROME, language=False, fetcher="safelinks")
    assert grades(trace("click", 0, scan), trace("click", 0.8)) == ["machine", "ambiguous"]


def test_b5_opens_of_prefetchers_are_no_opens() -> None:
    """B5: half of all opens come within a minute of sending, from nobody."""
    apple = Hit("GET", "Mozilla/5.0", networks=frozenset({"prefetch"}))
    assert judge_open(apple, handed_at=NOW - 30 * SECOND, now=NOW).grade == "machine"
    assert judge_open(SCANNER, handed_at=NOW - SECOND, now=NOW).grade == "machine"


def test_b_w412_an_open_and_a_click_of_one_instant_are_no_scanner() -> None:
    """B-W412: a client that loads pictures late loads them as the person clicks."""
    assert grades(trace("open"), trace("click")) == ["ambiguous", "ambiguous"]


@given(
    st.lists(
        st.builds(
            Trace,
            kind=st.sampled_from(["open", "click", "trap"]),
            link=st.sampled_from(["", "a", "b"]),
            at=st.timedeltas(timedelta(days=-1), timedelta(days=1)).map(lambda age: NOW + age),
            hit=st.builds(
                Hit,
                method=st.text(max_size=8),
                user_agent=st.text(max_size=60) | st.sampled_from([CHROME, GMAIL]),
                purpose=st.text(max_size=20),
                language=st.none() | st.booleans(),
                mode=st.sampled_from(["", "navigate", "cors"]),
                networks=st.frozensets(st.sampled_from(["prefetch", "proxy", "datacentre"])),
                fetcher=st.sampled_from(["", "a", "b"]),
            ),
        ),
        max_size=12,
    ),
    st.none() | st.just(LONG_AGO),
)
def test_nothing_that_is_fetched_is_ever_human(traces: list[Trace], handed_at: Any) -> None:
    verdicts = judge_message(traces, handed_at=handed_at)
    assert {verdict.grade for verdict in verdicts} <= set(get_args(Grade))
    assert set(get_args(Grade)) == {"machine", "ambiguous"}
    assert all(verdict.reasons for verdict in verdicts)
    # More evidence takes away and gives nothing back, in whichever order it came.
    for before, after in zip(
        judge_message(traces[:-1], handed_at=handed_at), verdicts, strict=False
    ):
        assert before.grade == "ambiguous" or after.grade == "machine"
    turned = judge_message(traces[::-1], handed_at=handed_at)[::-1]
    assert [one.grade for one in turned] == [one.grade for one in verdicts]


@given(st.binary(max_size=200))
def test_a_stored_hit_can_be_read_whatever_it_is(raw: bytes) -> None:
    assert hits.decode(raw).method


def test_a_hit_is_stored_as_it_was() -> None:
    full = Hit("HEAD", CHROME, "prefetch", False, "cors", True, frozenset({"proxy"}), "abc")
    for hit in (full, PERSON, SCANNER, Hit("GET", "")):
        assert hits.decode(hits.encode(hit)) == hit
    old = hits.decode(b'{"method": "GET", "user_agent": "curl/8"}')
    assert old == Hit("GET", "curl/8")
