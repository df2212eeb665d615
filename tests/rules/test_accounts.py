"""What an account may look like, and who may do what."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import access, scopes
from orchestrator.rules.access import ROLES, Reach, reach_of, reach_with
from orchestrator.rules.accounts import (
    SESSION_IDLE,
    SESSION_LIFE,
    folded,
    name_fault,
    password_fault,
    session_over,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ACTIONS = [f"{one}:{verb}" for one in scopes.RESOURCES for verb in scopes.ACTIONS]
WIDTH = {Reach.NONE: 0, Reach.OWN: 1, Reach.ALL: 2}


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("correct horse battery", None),
        ("ærlig talt, dette er langt", None),
        ("too short", "short"),
        ("x" * 257, "long"),
        ("aaaaaaaaaaaaaaaa", "plain"),
        ("123456789012345", "plain"),
        ("qwertyuiopqwerty", "plain"),
        ("kari@office.example", "known"),
        ("Kari@Office.Example1", "known"),
        ("Kari Nordmann 12", "known"),
    ],
)
def test_length_is_what_counts(password: str, fault: str | None) -> None:
    assert password_fault(password, "kari@office.example", "Kari Nordmann") == fault


@pytest.mark.parametrize(
    ("email", "found"),
    [
        (" Kari@Office.Example ", "kari@office.example"),
        ("ｋari@office.example", "kari@office.example"),
        ("STRASSE@office.example", "strasse@office.example"),
    ],
)
def test_one_person_is_one_account_however_spelt(email: str, found: str) -> None:
    assert folded(email) == found


@pytest.mark.parametrize("email", ["", "kari", "a@b", "a b@c.de", "a@b.c, d@e.f", "a@b.c\r\nx"])
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(ValueError, match="no email"):
        folded(email)


@given(st.emails())
def test_folding_twice_changes_nothing(email: str) -> None:
    try:
        once = folded(email)
    except ValueError:
        return
    assert folded(once) == once


def test_a_session_ends_when_unused_and_when_old() -> None:
    fresh = {"seen_at": NOW, "expires_at": NOW + SESSION_LIFE}
    tick = timedelta(seconds=1)
    assert not session_over(now=NOW + SESSION_IDLE - tick, **fresh)
    assert session_over(now=NOW + SESSION_IDLE, **fresh)
    used = {"seen_at": NOW + SESSION_LIFE - tick, "expires_at": NOW + SESSION_LIFE}
    assert not session_over(now=NOW + SESSION_LIFE - tick, **used)
    assert session_over(now=NOW + SESSION_LIFE, **used)


def test_names() -> None:
    assert name_fault("Kari Nordmann") is None
    assert all(map(name_fault, ("", "  ", "two\nlines", "x" * 121, "bell\x07")))


def test_every_resource_has_a_line_and_every_line_a_resource() -> None:
    assert sorted(access.resources()) == sorted(scopes.RESOURCES)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_roles_are_in_order(action: str) -> None:
    reach = {role: WIDTH[reach_of(role, action)] for role in ROLES}
    assert reach["admin"] == 2
    assert reach["admin"] >= reach["ops"] >= reach["rep"]
    assert reach["ops"] >= reach["viewer"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("resource", scopes.RESOURCES)
def test_writing_never_reaches_further_than_reading(role: str, resource: str) -> None:
    read, write = (WIDTH[reach_of(role, f"{resource}:{verb}")] for verb in scopes.ACTIONS)
    assert write <= read


def test_what_reps_and_viewers_may() -> None:
    assert reach_of("rep", "prospects:read") is Reach.OWN
    assert reach_of("rep", "tasks:write") is Reach.OWN
    assert reach_of("rep", "sequences:read") is Reach.ALL
    assert reach_of("rep", "sequences:write") is Reach.NONE
    for role in ("ops", "rep", "viewer"):
        for action in ("users:read", "users:write", "keys:write", "audit:write"):
            assert reach_of(role, action) is Reach.NONE, f"{role} {action}"
    writes = [
        a for a in ACTIONS if a.endswith(":write") and reach_of("viewer", a) is not Reach.NONE
    ]
    assert writes == ["account:write"]


@given(st.text(), st.text())
def test_what_nobody_declared_is_reached_by_nobody(role: str, action: str) -> None:
    if role not in ROLES or action not in ACTIONS:
        assert reach_of(role, action) is Reach.NONE


@given(st.lists(st.sampled_from(ROLES)), st.sampled_from(ACTIONS))
def test_a_key_reaches_no_further_than_any_of_its_roles(roles: list[str], action: str) -> None:
    reach = reach_with(roles, ["*"], action)
    assert WIDTH[reach] == min((WIDTH[reach_of(role, action)] for role in roles), default=0)


def test_a_key_reaches_no_further_than_its_scopes() -> None:
    assert reach_with(["rep"], ["*"], "prospects:write") is Reach.OWN
    assert reach_with(["viewer", "rep"], ["*"], "prospects:read") is Reach.OWN
    assert reach_with(["admin"], ["tasks:read"], "prospects:read") is Reach.NONE
