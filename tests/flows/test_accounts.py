"""Accounts: claiming, signing in, second factors, links, and who is thrown out when."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator import passwords
from orchestrator.acting import Actor, acts
from orchestrator.clock import real_now
from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict, NotFound, TooManyTries, Unauthorized
from orchestrator.flows.add_user import add_user
from orchestrator.flows.ask_reset import ask_reset
from orchestrator.flows.change_password import change_password
from orchestrator.flows.change_user import change_user
from orchestrator.flows.claim_instance import claim_instance
from orchestrator.flows.confirm_totp import confirm_totp
from orchestrator.flows.find_session import Session, find_session
from orchestrator.flows.make_link import make_link
from orchestrator.flows.offer_claim import offer_claim
from orchestrator.flows.offer_totp import offer_totp
from orchestrator.flows.remove_totp import remove_totp
from orchestrator.flows.second_factor import second_factor
from orchestrator.flows.set_password import set_password
from orchestrator.flows.sign_in import SignedIn, sign_in
from orchestrator.models.accounts import access_links, audit, sessions, tries, users
from orchestrator.rules import totp
from orchestrator.rules.accounts import (
    LINK_LIFE,
    SESSION_IDLE,
    SESSION_LIFE,
    TRIES_OF_ACCOUNT,
    TRIES_OF_ADDRESS,
    TRY_WINDOW,
)
from orchestrator.wiring import App

EMAIL, PASSWORD = "kari@office.example", "en lang og god setning"
WHERE = {"address": "192.0.2.1", "user_agent": "a browser"}
Enter = Callable[..., Coroutine[Any, Any, SignedIn]]


@dataclass
class Office:
    """An instance with one admin."""

    app: App
    kari: UUID

    async def enter(self, **values: Any) -> SignedIn:
        """Sign in, as Kari unless other values are given."""
        return await sign_in(self.app, **{"email": EMAIL, "password": PASSWORD} | WHERE | values)

    async def session(self, token: str, *, later: timedelta = timedelta(0)) -> Session | None:
        """What the token is worth, now or later."""
        async with transaction(self.app.engine) as conn:
            return await find_session(conn, token, await real_now(conn) + later)

    async def link(self, kind: Any = "reset") -> str:
        """A link for Kari."""
        async with transaction(self.app.engine) as conn:
            return await make_link(conn, kind=kind, user_id=self.kari, now=await real_now(conn))

    async def second(self) -> tuple[bytes, list[str], str]:
        """Turn a second factor on: its secret, the recovery codes and the token that is good."""
        token = (await self.enter()).token
        session = await self.session(token)
        assert session is not None
        secret = await offer_totp(self.app, self.kari)
        made = await confirm_totp(
            self.app, user_id=self.kari, session_id=session.id, code=await self.code(secret, 0)
        )
        return secret, made.codes, made.token

    async def code(self, secret: bytes, ahead: int) -> str:
        """The code of a time step from now."""
        async with transaction(self.app.engine) as conn:
            now = await real_now(conn)
        return totp.code_at(secret, int(now.timestamp()) // totp.STEP + ahead)


@pytest.fixture
async def office(app: App) -> Office:
    """One admin who has a password."""
    hashed = await passwords.hashed(PASSWORD)
    async with transaction(app.engine) as conn:
        now = await real_now(conn)
        kari = await add_user(
            conn, email=EMAIL, name="Kari Nordmann", role="admin", now=now, password_hash=hashed
        )
    return Office(app, kari)


async def age(engine: AsyncEngine, table: Any, column: Any, by: timedelta) -> None:
    """Let rows grow older."""
    async with transaction(engine) as conn:
        await conn.execute(update(table).values({column.name: column - by}))


async def test_the_first_user_claims_the_instance_and_nobody_after(app: App) -> None:
    async with transaction(app.engine) as conn:
        old = await offer_claim(conn, await real_now(conn))
        token = await offer_claim(conn, await real_now(conn))
    assert old is not None
    assert token is not None
    who = {"email": " Kari@Office.Example", "name": "Kari", "password": PASSWORD}
    with pytest.raises(NotFound):
        await claim_instance(app, token=old, **who)
    with pytest.raises(BadInput):
        await claim_instance(app, token=token, **who | {"password": "short"})
    made = await claim_instance(app, token=token, **who)
    with pytest.raises(NotFound):
        await claim_instance(app, token=token, **who | {"email": "eve@office.example"})
    async with transaction(app.engine) as conn:
        assert await offer_claim(conn, await real_now(conn)) is None
        rows = (await conn.execute(select(users.c.id, users.c.email, users.c.role))).all()
        said = (await conn.execute(select(audit.c.action, audit.c.actor_kind))).all()
    assert [tuple(row) for row in rows] == [(made, EMAIL, "admin")]
    assert [tuple(row) for row in said] == [("claim_instance", "link")]


async def test_a_claim_at_the_same_moment_as_another_makes_one_user(app: App) -> None:
    async with transaction(app.engine) as conn:
        token = await offer_claim(conn, await real_now(conn))
    assert token is not None
    claims = [
        claim_instance(app, token=token, email=f"{n}@office.example", name="x", password=PASSWORD)
        for n in range(4)
    ]
    ended = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(isinstance(one, UUID) for one in ended) == 1
    assert sum(isinstance(one, NotFound) for one in ended) == 3


async def test_a_claim_that_was_printed_before_somebody_else_claimed_is_void(
    app: App, office: Office
) -> None:
    async with transaction(app.engine) as conn:
        token = await make_link(conn, kind="claim", user_id=None, now=await real_now(conn))
    with pytest.raises(NotFound):
        await claim_instance(app, token=token, email="e@x.example", name="E", password=PASSWORD)


async def test_signing_in_gives_a_session_that_no_dump_of_the_database_gives_away(
    office: Office, engine: AsyncEngine
) -> None:
    made = await office.enter(email=" KARI@office.example")
    session = await office.session(made.token)
    assert made.whole
    assert session is not None
    assert (session.user_id, session.role, session.whole) == (office.kari, "admin", True)
    async with transaction(engine) as conn:
        kept = (await conn.execute(select(sessions))).mappings().one()
        account = (await conn.execute(select(users))).mappings().one()
    assert made.token not in str(dict(kept))
    assert made.token.encode() not in kept["token_hash"]
    assert account["password_hash"].startswith("$argon2id$")
    assert account["signed_in_at"] is not None


async def test_each_sign_in_has_a_token_of_its_own_and_ends_the_one_before(
    office: Office,
) -> None:
    first = await office.enter()
    second = await office.enter(old_token=first.token)
    assert first.token != second.token
    assert await office.session(first.token) is None
    assert await office.session(second.token) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "another long sentence"},
        {"email": "nobody@office.example"},
        {"email": "no address"},
        {"email": ""},
        {"email": "\0"},
        {"password": ""},
        {"password": "x" * 5000},
    ],
)
async def test_every_way_of_being_wrong_says_the_same(
    office: Office, wrong: dict[str, str]
) -> None:
    with pytest.raises(Unauthorized) as refused:
        await office.enter(**wrong)
    assert refused.value.message == "The address or the password is not right."


async def test_an_unknown_account_costs_one_hash_as_a_known_one_does(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    check = passwords._fits

    def counted(password: str, kept: str | None) -> bool:
        asked.append(kept is None)
        return check(password, kept)

    monkeypatch.setattr(passwords, "_fits", counted)
    for email in (EMAIL, "nobody@office.example"):
        with pytest.raises(Unauthorized):
            await office.enter(email=email, password="not the right one")
    assert asked == [False, True]


async def test_a_disabled_user_is_out_at_once_and_stays_out(office: Office) -> None:
    async with transaction(office.app.engine) as conn:
        now = await real_now(conn)
        await add_user(conn, email="b@office.example", name="B", role="admin", now=now)
    token = (await office.enter()).token
    async with transaction(office.app.engine) as conn:
        await change_user(conn, user_id=office.kari, disabled=True, now=now)
    assert await office.session(token) is None
    with pytest.raises(Unauthorized):
        await office.enter()
    assert await ask_reset(office.app, email=EMAIL, address="192.0.2.1") is None


async def test_the_tries_of_an_account_are_counted_from_wherever_they_come(
    office: Office, engine: AsyncEngine
) -> None:
    async def wrong(number: int) -> type[BaseException]:
        with pytest.raises((Unauthorized, TooManyTries)) as refused:
            await office.enter(password="a wrong one", address=f"192.0.2.{number}")
        return refused.type

    ended = await asyncio.gather(*(wrong(number) for number in range(TRIES_OF_ACCOUNT + 3)))
    assert ended.count(Unauthorized) == TRIES_OF_ACCOUNT
    with pytest.raises(TooManyTries):
        await office.enter(address="198.51.100.7")
    await age(engine, tries, tries.c.since, TRY_WINDOW)
    assert (await office.enter()).whole


async def test_the_tries_from_one_address_are_counted_over_all_accounts(office: Office) -> None:
    # The limit of an address is far above that of an account: counted here without the hashing.
    async with transaction(office.app.engine) as conn:
        await conn.execute(
            text("insert into tries values (:key, :count, clock_timestamp())"),
            {
                "key": office.app.keys.try_key("address", WHERE["address"]),
                "count": TRIES_OF_ADDRESS,
            },
        )
    with pytest.raises(TooManyTries):
        await office.enter()
    assert (await office.enter(address="198.51.100.7")).whole


async def test_the_right_password_starts_the_count_over(office: Office) -> None:
    for _ in range(2):
        for _ in range(TRIES_OF_ACCOUNT - 1):
            with pytest.raises(Unauthorized):
                await office.enter(password="a wrong one")
        assert (await office.enter()).whole


async def test_a_session_ends_unused_and_old(office: Office, engine: AsyncEngine) -> None:
    token = (await office.enter()).token
    assert await office.session(token, later=SESSION_IDLE + timedelta(seconds=1)) is None
    assert await office.session(token) is not None
    await age(engine, sessions, sessions.c.expires_at, SESSION_LIFE)
    assert await office.session(token) is None


async def test_using_a_session_keeps_it_alive(office: Office) -> None:
    token = (await office.enter()).token
    for hours in (11, 22, 33):
        assert await office.session(token, later=timedelta(hours=hours)) is not None


@pytest.mark.parametrize("token", ["", "x", "\0", "\ud800", "a" * 10_000])
async def test_a_token_that_we_never_gave_opens_nothing(office: Office, token: str) -> None:
    await office.enter()
    assert await office.session(token) is None


async def test_a_link_sets_the_password_once_and_throws_everybody_out(office: Office) -> None:
    old = (await office.enter()).token
    token, other = await office.link("invite"), await office.link("reset")
    await set_password(office.app, token=token, password="enda en lang setning")
    assert await office.session(old) is None
    with pytest.raises(Unauthorized):
        await office.enter()
    assert (await office.enter(password="enda en lang setning")).whole
    for used in (token, other):
        with pytest.raises(NotFound):
            await set_password(office.app, token=used, password="a third long sentence")


async def test_a_link_that_is_too_old_or_replaced_is_worth_nothing(
    office: Office, engine: AsyncEngine
) -> None:
    replaced, token = await office.link(), await office.link()
    with pytest.raises(NotFound):
        await set_password(office.app, token=replaced, password="enda en lang setning")
    with pytest.raises(BadInput):
        await set_password(office.app, token=token, password="short")
    await age(engine, access_links, access_links.c.expires_at, LINK_LIFE["reset"])
    with pytest.raises(NotFound):
        await set_password(office.app, token=token, password="enda en lang setning")


async def test_of_two_who_use_one_link_at_once_one_succeeds(office: Office) -> None:
    token = await office.link()
    ended = await asyncio.gather(
        *(set_password(office.app, token=token, password=f"setning nummer {n}") for n in range(3)),
        return_exceptions=True,
    )
    assert [type(one) for one in ended].count(NotFound) == 2


async def test_a_reset_is_asked_for_by_those_who_exist_and_only_so_often(office: Office) -> None:
    asked = {"address": "192.0.2.1"}
    assert await ask_reset(office.app, email="nobody@office.example", **asked) is None
    links = [await ask_reset(office.app, email=" KARI@office.example", **asked) for _ in range(3)]
    assert all(link is not None and link.email == EMAIL for link in links)
    with pytest.raises(TooManyTries):
        await ask_reset(office.app, email=EMAIL, **asked)


async def test_a_second_factor_is_asked_for_after_the_password(office: Office) -> None:
    secret, _, token = await office.second()
    assert await office.session(token) is not None
    half = await office.enter()
    session = await office.session(half.token)
    assert session is not None
    assert (half.whole, session.whole) == (False, False)
    with pytest.raises(Unauthorized):
        await second_factor(office.app, session, "000000")
    through = await second_factor(office.app, session, await office.code(secret, 1))
    whole = await office.session(through.token)
    assert whole is not None
    assert whole.whole
    assert await office.session(half.token) is None


async def test_half_a_session_lives_for_minutes(office: Office) -> None:
    await office.second()
    half = await office.enter()
    assert await office.session(half.token, later=timedelta(minutes=9)) is not None
    assert await office.session(half.token, later=timedelta(minutes=10)) is None


async def test_a_code_is_good_once(office: Office) -> None:
    secret, _, _ = await office.second()
    code = await office.code(secret, 1)
    sessions_ = [await office.session((await office.enter()).token) for _ in range(3)]
    halves = [one for one in sessions_ if one is not None]
    ended = await asyncio.gather(
        *(second_factor(office.app, half, code) for half in halves), return_exceptions=True
    )
    assert [type(one) for one in ended].count(Unauthorized) == 2


async def test_a_recovery_code_is_good_once(office: Office) -> None:
    _, codes, _ = await office.second()
    assert len(set(codes)) == 10
    for left, typed in ((9, codes[0].upper().replace("-", " ")), (8, codes[1])):
        half = await office.session((await office.enter()).token)
        assert half is not None
        assert (await second_factor(office.app, half, typed)).codes_left == left
    half = await office.session((await office.enter()).token)
    assert half is not None
    with pytest.raises(Unauthorized):
        await second_factor(office.app, half, codes[0])


async def test_codes_are_not_guessed(office: Office) -> None:
    secret, _, _ = await office.second()
    half = await office.session((await office.enter()).token)
    assert half is not None
    for _ in range(TRIES_OF_ACCOUNT):
        with pytest.raises((Unauthorized, TooManyTries)):
            await second_factor(office.app, half, "000000")
    with pytest.raises(TooManyTries):
        await second_factor(office.app, half, await office.code(secret, 1))


async def test_a_reset_does_not_go_round_the_second_factor(office: Office) -> None:
    """listmonk CVE-2026-128333."""
    await office.second()
    token = await office.link()
    await set_password(office.app, token=token, password="enda en lang setning")
    entered = await office.enter(password="enda en lang setning")
    assert not entered.whole


async def test_an_offered_secret_counts_only_after_a_code_of_it(office: Office) -> None:
    secret = await offer_totp(office.app, office.kari)
    assert await offer_totp(office.app, office.kari) == secret
    with pytest.raises(BadInput):
        await confirm_totp(office.app, user_id=office.kari, session_id=None, code="000000")
    assert (await office.enter()).whole
    assert await offer_totp(office.app, office.kari, anew=True) != secret


async def test_without_the_second_factor_no_code_is_asked(office: Office) -> None:
    await office.second()
    async with transaction(office.app.engine) as conn:
        assert await remove_totp(conn, user_id=office.kari)
        assert not await remove_totp(conn, user_id=office.kari)
    assert (await office.enter()).whole


async def test_what_proves_somebody_changes_the_token_and_ends_the_other_sessions(
    office: Office,
) -> None:
    mine, other = (await office.enter()).token, (await office.enter()).token
    session = await office.session(mine)
    assert session is not None
    values = {"user_id": office.kari, "session_id": session.id, "password": "enda en lang setning"}
    with pytest.raises(BadInput):
        await change_password(office.app, **values, current="not it")
    token = await change_password(office.app, **values, current=PASSWORD)
    assert await office.session(mine) is None
    assert await office.session(other) is None
    assert await office.session(token) is not None
    _, _, rotated = await _with_second(office, token)
    assert await office.session(token) is None
    assert await office.session(rotated) is not None


async def _with_second(office: Office, token: str) -> tuple[bytes, list[str], str]:
    session = await office.session(token)
    assert session is not None
    secret = await offer_totp(office.app, office.kari)
    code = await office.code(secret, 0)
    made = await confirm_totp(office.app, user_id=office.kari, session_id=session.id, code=code)
    return secret, made.codes, made.token


async def test_another_role_ends_every_session(office: Office) -> None:
    async with transaction(office.app.engine) as conn:
        now = await real_now(conn)
        await add_user(conn, email="b@office.example", name="B", role="admin", now=now)
    token = (await office.enter()).token
    async with transaction(office.app.engine) as conn:
        assert await change_user(conn, user_id=office.kari, name="Kari N.", now=now)
    assert await office.session(token) is not None
    async with transaction(office.app.engine) as conn:
        assert await change_user(conn, user_id=office.kari, role="viewer", now=now)
        assert not await change_user(conn, user_id=office.kari, role="viewer", now=now)
    assert await office.session(token) is None


@pytest.mark.parametrize("change", [{"role": "ops"}, {"disabled": True}])
async def test_one_admin_always_stays(office: Office, change: dict[str, Any]) -> None:
    async def changed(user_id: UUID, now: datetime) -> bool:
        async with transaction(office.app.engine) as conn:
            return await change_user(conn, user_id=user_id, now=now, **change)

    async with transaction(office.app.engine) as conn:
        now = await real_now(conn)
    with pytest.raises(Conflict):
        await changed(office.kari, now)
    async with transaction(office.app.engine) as conn:
        other = await add_user(conn, email="b@office.example", name="B", role="admin", now=now)
    both = await asyncio.gather(
        changed(office.kari, now), changed(other, now), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["Conflict", "bool"]


async def test_an_address_is_one_account(office: Office) -> None:
    async with transaction(office.app.engine) as conn:
        now = await real_now(conn)
        with pytest.raises(Conflict):
            await add_user(conn, email="Kari@Office.example", name="K", role="rep", now=now)
        for wrong in ({"email": "x"}, {"name": ""}, {"role": "king"}):
            values = {"email": "c@office.example", "name": "C", "role": "rep"} | wrong
            with pytest.raises(BadInput):
                await add_user(conn, **values, now=now)


async def test_the_audit_log_has_no_secret_of_an_account(
    office: Office, engine: AsyncEngine
) -> None:
    with acts(Actor("user", office.kari, EMAIL, "canary")):
        secret, codes, _ = await office.second()
        await set_password(office.app, token=await office.link(), password="enda en lang setning")
    async with transaction(engine) as conn:
        lines = [dict(row) for row in (await conn.execute(select(audit))).mappings()]
        kept = (await conn.execute(select(users.c.password_hash))).scalar_one()
    said = str(lines)
    assert {"sign_in", "canary", "set_password"} <= {line["action"] for line in lines}
    for canary in (secret.hex(), codes[0], codes[0].replace("-", ""), kept, "argon2", PASSWORD):
        assert canary not in said
