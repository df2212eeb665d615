"""Who reaches what: every route of the API with every role, and a rep beside another rep."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.clock import database_now
from orchestrator.db import transaction
from orchestrator.flows.add_user import add_user
from orchestrator.flows.assign_people import assign_people
from orchestrator.flows.change_user import change_user
from orchestrator.flows.create_key import create_key
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.models.accounts import audit
from orchestrator.models.people import identities
from orchestrator.models.work import tasks
from orchestrator.rules.access import ROLES, Reach, reach_of
from tests.api.test_auth import operations
from tests.pages import sample

SCOPED = ("prospects", "messages", "enrollments", "engagements", "unlocks", "bookings", "tasks")


async def keyed(
    api: FastAPI, engine: AsyncEngine, role: str, user_id: UUID | None = None
) -> httpx.AsyncClient:
    """A client whose key may do everything that `role` may."""
    async with transaction(engine) as conn:
        made = await create_key(conn, name=str(uuid4()), scopes=["*"], role=role, user_id=user_id)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(api, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": f"Bearer {made.secret}"},
    )


async def user(engine: AsyncEngine, role: str) -> UUID:
    async with transaction(engine) as conn:
        now = await database_now(conn)
        email = f"{uuid4().hex}@office.example"
        return await add_user(conn, email=email, name=role.title(), role=role, now=now)


@dataclass
class Two:
    """Two reps with one person each, everything that a person can have, and a third of nobody."""

    kari: httpx.AsyncClient
    kari_id: UUID
    own: sample.Someone
    others: sample.Someone
    nobodys: sample.Someone


@pytest.fixture
async def two(api: FastAPI, engine: AsyncEngine, keys: Keys) -> AsyncIterator[Two]:
    kari_id, ola_id = await user(engine, "rep"), await user(engine, "rep")
    people = []
    async with transaction(engine) as conn:
        world = await sample.build(conn)
        now = await database_now(conn)
        for owner in (kari_id, ola_id, None):
            someone = await sample.someone(conn, keys, world)
            await sample.interested(conn, keys, someone)
            await assign_people(conn, prospect_ids=[someone.prospect], owner_id=owner, now=now)
            await conn.execute(
                insert(tasks).values(
                    id=uuid7(), kind="manual", prospect_id=someone.prospect, title="Do it"
                )
            )
            people.append(someone)
    client = await keyed(api, engine, "rep", kari_id)
    async with client:
        yield Two(client, kari_id, *people)


async def test_every_route_with_every_role(
    api: FastAPI, engine: AsyncEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Must show 3 of issue 7, the API's part: 403 exactly where the table says so."""
    clients = {role: await keyed(api, engine, role, await user(engine, role)) for role in ROLES}
    seen = 0
    for role, client in clients.items():
        for method, path, action in operations(api):
            if path in ("/api/account/sign-out",):
                continue
            answer = await client.request(method, path)
            refused = answer.status_code == 403
            expected = reach_of(role, action)
            assert answer.status_code != 401, f"{role} {method} {path}"
            assert answer.status_code < 500, f"{role} {method} {path}"
            if expected is Reach.NONE:
                assert refused, f"{role} {method} {path} needs {action}"
            elif expected is Reach.ALL:
                assert not refused, f"{role} {method} {path}"
            seen += 1
    with capsys.disabled():
        print(f"\n{seen} requests: {len(ROLES)} roles over {seen // len(ROLES)} routes")
    assert seen > 4 * 80


async def test_a_rep_sees_their_own_people_and_nobody_elses(two: Two) -> None:
    strangers = {str(two.others.prospect), str(two.nobodys.prospect)}
    for resource in SCOPED:
        answer = await two.kari.get(f"/api/{resource}")
        assert answer.status_code == 200, resource
        if resource != "bookings":
            assert answer.json()["items"], resource
        for stranger in strangers:
            assert stranger not in answer.text, resource
            asked = await two.kari.get(f"/api/{resource}", params={"prospect_id": stranger})
            assert stranger not in asked.text, resource


def _addresses(api: FastAPI) -> list[tuple[str, str]]:
    """Every route with something of a person in its address."""
    found = []
    for path, methods in api.openapi()["paths"].items():
        named = [one for one in ("prospect", "enrollment", "message") if f"{{{one}_id}}" in path]
        found += [(method.upper(), path) for method in methods if named and path[:5] == "/api/"]
    return found


async def test_a_strangers_things_are_not_there_for_a_rep(
    two: Two, api: FastAPI, engine: AsyncEngine
) -> None:
    seen = 0
    for someone, expected in ((two.others, True), (two.nobodys, True), (two.own, False)):
        ids = {
            "{prospect_id}": str(someone.prospect),
            "{enrollment_id}": str(someone.enrollment),
            "{message_id}": str(someone.messages[0]),
        }
        for method, path in _addresses(api):
            for name, value in ids.items():
                path = path.replace(name, value)
            answer = await two.kari.request(method, path)
            hidden = answer.status_code == 404
            assert hidden == expected, f"{method} {path}: {answer.text}"
            assert answer.status_code != 403, f"{method} {path}"
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("resource", ["engagements", "unlocks", "tasks"])
async def test_nor_is_what_belongs_to_them(
    two: Two, api: FastAPI, engine: AsyncEngine, resource: str
) -> None:
    everybody = await keyed(api, engine, "viewer")
    rows = (await everybody.get(f"/api/{resource}", params={"limit": 200})).json()["items"]
    own = [row for row in rows if row["prospect_id"] == str(two.own.prospect)]
    assert 0 < len(own) < len(rows)
    for row in rows:
        answer = await two.kari.get(f"/api/{resource}/{row['id']}")
        assert answer.status_code == (200 if row in own else 404)
    if resource == "tasks":
        for row in rows:
            path = f"/api/tasks/{row['id']}/done"
            answer = await two.kari.post(path, json={"outcome": "done"})
            assert answer.status_code == (200 if row in own else 404)


async def test_whom_a_rep_adds_is_theirs(two: Two) -> None:
    made = await two.kari.post("/api/prospects", json={"email": "new@prospect.example"})
    assert made.status_code == 201
    found = await two.kari.get(f"/api/prospects/{made.json()['id']}")
    assert found.json()["owner_id"] == str(two.kari_id)


async def test_a_known_address_does_not_tell_whose_it_is(two: Two, engine: AsyncEngine) -> None:
    async with transaction(engine) as conn:
        found = await conn.execute(
            select(identities.c.address).where(identities.c.id == two.others.identity)
        )
        address = found.scalar_one()
    answer = await two.kari.post("/api/prospects", json={"email": address})
    assert answer.status_code == 409
    assert str(two.others.prospect) not in answer.text


async def test_a_rep_stops_nobody_elses_colleague(two: Two) -> None:
    at = f"/api/prospects/{two.own.prospect}/stop"
    assert (await two.kari.post(at, json={"whole_company": True})).status_code == 403
    assert (await two.kari.post(at, json={})).status_code == 200


async def test_what_is_about_everybody_is_not_for_reps(two: Two) -> None:
    for method, path in (
        ("POST", "/api/enrollments"),
        ("POST", "/api/prospects/import"),
        ("POST", "/api/prospects/assign"),
        ("GET", "/api/late"),
        ("GET", "/api/events"),
        ("GET", "/api/users"),
        ("GET", "/api/audit"),
    ):
        assert (await two.kari.request(method, path)).status_code == 403, f"{method} {path}"


async def test_a_key_follows_its_user(two: Two, engine: AsyncEngine) -> None:
    assert (await two.kari.get("/api/sequences")).status_code == 200
    async with transaction(engine) as conn:
        now = await database_now(conn)
        await change_user(conn, user_id=two.kari_id, role="viewer", now=now)
    # The key is a rep's still: whoever is both reaches what both reach.
    assert (await two.kari.post("/api/prospects", json={})).status_code == 403
    async with transaction(engine) as conn:
        await change_user(conn, user_id=two.kari_id, disabled=True, now=now)
    assert (await two.kari.get("/api/sequences")).status_code == 401


async def test_the_audit_log_names_every_change_of_the_api(
    two: Two, api: FastAPI, engine: AsyncEngine
) -> None:
    ops = await keyed(api, engine, "ops")
    at = f"/api/prospects/{two.own.prospect}"
    changes: list[tuple[str, str, str, Any]] = [
        ("pause_prospect", "POST", f"{at}/pause", None),
        ("resume_prospect", "POST", f"{at}/resume", None),
        ("patch_prospect", "PATCH", at, {"title": "Partner"}),
        ("snooze_prospect", "POST", f"{at}/snooze", {"until": "2030-01-01T00:00:00Z"}),
        ("post_fact", "POST", f"{at}/facts", {"name": "pain", "value": "Vouchers"}),
        ("stop_prospect", "POST", f"{at}/stop", {"reason": "by_hand"}),
        ("add_suppression", "POST", "/api/suppressions", {"address": "x@y.example"}),
        (
            "assign_prospects",
            "POST",
            "/api/prospects/assign",
            {"prospect_ids": [str(two.own.prospect)], "owner_id": None},
        ),
        ("pause_sender", "POST", "/api/senders/kari/pause", {}),
        (
            "add_host",
            "POST",
            "/api/hosts",
            {
                "name": "oslo",
                "display_name": "Kari",
                "email": "k@office.example",
                "zone": "Europe/Oslo",
                "weekly": {"mon": ["09:00-11:00"]},
            },
        ),
    ]
    for _, method, path, body in changes:
        answer = await ops.request(method, path, json=body)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
    async with transaction(engine) as conn:
        rows = (await conn.execute(select(audit).order_by(audit.c.id))).mappings().all()
    assert {row["actor_kind"] for row in rows} == {"key"}
    said = [row["action"] for row in rows]
    assert [name for name, *_ in changes if name not in said] == []
    changed = next(row for row in rows if row["action"] == "patch_prospect")
    assert (changed["before"]["title"], changed["after"]["title"]) == (None, "Partner")
    assert changed["subject_id"] == str(two.own.prospect)
