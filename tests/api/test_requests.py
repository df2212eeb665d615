"""Whatever is sent: a problem document and never a 5xx; no field too many; no secret comes out."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.api.app import create_app
from orchestrator.config import Settings
from orchestrator.db import transaction
from orchestrator.errors import SetupError
from orchestrator.keys import Keys
from tests import make
from tests.api.test_auth import operations

SECRET_WORD = "correct-horse-battery-staple"
BODIES: list[tuple[bytes, str]] = [
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"[]", "application/json"),
    (b"null", "application/json"),
    (b'"text"', "application/json"),
    (b"\xff\xfe", "application/json"),
    (b'{"a":' * 5000, "application/json"),
    (b"[" * 5000 + b"]" * 5000, "application/json"),
    (b'{"name": "\\u0000", "address": "\\u0000", "text": "\\u0000"}', "application/json"),
    (b'{"name": "\\ud800", "\\ud800": 1, "reason": "\\ud800"}', "application/json"),
    (b'{"until": "9999-12-31T23:59:59-23:59", "until_day": 1e400}', "application/json"),
    (b'{"daily_cap": 99999999999999999999, "address": 7}', "application/json"),
    (b"a=b&c=d", "application/x-www-form-urlencoded"),
    (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    (b"email\nnobody\n", "text/csv"),
    (b"\x00\x01\x02", "application/octet-stream"),
]


def assert_problem(answer: httpx.Response, where: str = "") -> dict[str, Any]:
    """The answer is a whole problem document."""
    assert answer.headers["content-type"] == "application/problem+json", where
    document: dict[str, Any] = answer.json()
    assert document["status"] == answer.status_code, where
    assert document["type"].startswith("/docs#problem-"), where
    assert document["title"], where
    assert document["detail"], where
    return document


async def test_no_body_makes_a_5xx(api: FastAPI, client: httpx.AsyncClient) -> None:
    for method, path, _ in operations(api):
        if method == "GET":
            continue
        for body, kind in BODIES:
            answer = await client.request(
                method, path, content=body, headers={"Content-Type": kind}
            )
            where = f"{method} {path} {body[:40]!r}: {answer.status_code} {answer.text[:200]}"
            assert answer.status_code < 500, where
            if answer.status_code >= 400:
                assert_problem(answer, where)


async def test_no_query_or_path_makes_a_5xx(api: FastAPI, client: httpx.AsyncClient) -> None:
    for method, path, _ in operations(api):
        for query in ("?limit=x", "?cursor=%00", "?state=%00&sequence=%00&address=%00", "?x=%ff"):
            answer = await client.request(method, path + query)
            assert answer.status_code < 500, f"{method} {path}{query}: {answer.text[:200]}"
    for path in ("/api/sequences/%00", "/api/senders/%00", "/api/hosts/%ff", "/api/messages/%00"):
        assert (await client.get(path)).status_code in (404, 422), path


async def test_extra_fields_are_refused_wherever_a_body_is_taken(
    api: FastAPI, client: httpx.AsyncClient
) -> None:
    taken = 0
    for path, methods in api.openapi()["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is None or path.startswith("/hooks/"):  # signed doors know no such field
                continue
            taken += 1
            filled = path.replace("{name}", "nobody").replace("{day}", "2026-12-24")
            while "{" in filled:
                head, _, tail = filled.partition("{")
                filled = head + "019aaaaa-0000-7000-8000-000000000000" + tail.partition("}")[2]
            for extra in ("state", "id", "opted_out_at", "grade", "secret_hash"):
                sent = {extra: "x"} | {"zzz": 1}
                answer = await client.request(method, filled, json=sent)
                assert answer.status_code == 422, f"{method} {path}"
                places = [fault["where"][-1] for fault in answer.json()["errors"]]
                assert "zzz" in places, f"{method} {path}: {answer.text}"
    assert taken > 8


async def test_unknown_addresses_and_methods_are_problems(client: httpx.AsyncClient) -> None:
    assert assert_problem(await client.get("/api/nothing"))["status"] == 404
    assert assert_problem(await client.put("/api/tasks"))["status"] == 405


async def test_a_large_body_is_refused_before_and_while_it_is_read(
    client: httpx.AsyncClient,
) -> None:
    large = b'{"email": "' + b"x" * (1 << 20) + b'"}'
    said = await client.post("/api/prospects", content=large)
    assert assert_problem(said)["status"] == 413

    async def unsaid() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    streamed = await client.post(
        "/api/prospects", content=unsaid(), headers={"Content-Type": "application/json"}
    )
    assert assert_problem(streamed)["status"] == 413


async def test_secrets_of_a_sender_never_come_out(
    client: httpx.AsyncClient, engine: AsyncEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    sender = {
        "name": "kari",
        "address": "kari@sender.example",
        "settings": {"host": "mail.sender.example", "port": 587, "security": "starttls",
                     "username": "kari"},
        "secrets": {"password": SECRET_WORD},
        "hours": {"days": "mon-fri", "hours": "08:00-16:00"},
    }  # fmt: skip
    headers = {"Idempotency-Key": "kari"}
    answers = [
        await client.post("/api/senders", json=sender, headers=headers),
        await client.post("/api/senders", json=sender, headers=headers),
        await client.get("/api/senders"),
        await client.get("/api/senders/kari"),
        await client.patch("/api/senders/kari", json={"secrets": {"password": SECRET_WORD}}),
        await client.post("/api/senders", json=sender | {"hours": SECRET_WORD}),
        await client.post("/api/senders", json={**sender, "secrets": SECRET_WORD}),
        await client.post("/api/senders", json={**sender, "secrets": {"password": [SECRET_WORD]}}),
    ]
    assert answers[0].status_code == 201, answers[0].text
    assert answers[3].json()["has_secrets"] is True
    for answer in answers:
        assert SECRET_WORD not in answer.text
    async with transaction(engine) as conn:
        for table in ("senders", "idempotency_keys", "history"):
            rows = await conn.exec_driver_sql(f"select {table}::text from {table}")
            dumped = "\n".join(row[0] for row in rows)
            assert SECRET_WORD not in dumped
            assert SECRET_WORD.encode().hex() not in dumped
    told = capfd.readouterr()
    assert SECRET_WORD not in told.out + told.err


async def test_people_are_read_with_their_addresses_and_facts(
    client: httpx.AsyncClient,
) -> None:
    made = await client.post(
        "/api/prospects",
        json={
            "email": "Ola@Prospect.Example",
            "first_name": "Ola",
            "country": "Norge",
            "phone": "22 22 55 55",
            "company": {"name": "Acme AS"},
            "facts": [{"name": "pain", "value": "vouchers", "found_on": "2026-11-01"}],
        },
    )
    assert made.status_code == 201, made.text
    ola = made.json()
    assert ola["country"] == "NO"
    assert ola["phone"] == "+4722225555"
    assert ola["company"]["name"] == "Acme AS"
    assert [one["channel"] for one in ola["identities"]] == ["email"]
    url = f"/api/prospects/{ola['id']}"
    added = await client.post(f"{url}/facts", json={"name": "pain", "value": "newer"})
    assert {fact["value"] for fact in added.json()["items"]} == {"vouchers", "newer"}
    changed = (await client.patch(url, json={"title": "CFO", "country": None})).json()
    assert (changed["title"], changed["country"]) == ("CFO", None)
    assert (await client.patch(url, json={"zone": "Mars/Base"})).status_code == 422
    found = await client.get("/api/prospects", params={"address": "ola@prospect.example"})
    assert [one["id"] for one in found.json()["items"]] == [ola["id"]]


async def test_a_stop_by_api_is_for_good(client: httpx.AsyncClient) -> None:
    made = (await client.post("/api/prospects", json={"email": "ola@prospect.example"})).json()
    url = f"/api/prospects/{made['id']}"
    assert (await client.post(f"{url}/pause")).json()["paused_at"]
    assert (await client.post(f"{url}/resume")).json()["paused_at"] is None
    assert (await client.post(f"{url}/snooze", json={"until": "2101-01-01T00:00:00Z"})).json()[
        "not_before"
    ]
    assert (await client.post(f"{url}/stop", json={"reason": "opt_out"})).json()["opted_out_at"]
    again = await client.post("/api/prospects", json={"email": "OLA@prospect.example"})
    assert again.status_code == 409
    listed = (await client.get("/api/suppressions")).json()["items"]
    assert [one["scope"] for one in listed] == ["person"]
    assert "ola@" not in json.dumps(listed)


async def test_a_file_of_people_is_streamed_in(client: httpx.AsyncClient) -> None:
    rows = b"".join(b"p%d@prospect.example,P%d\n" % (n, n) for n in range(50))
    answer = await client.post(
        "/api/prospects/import?map=Who=first_name",
        content=b"email,Who\n" + rows + b"nobody,x\n",
        headers={"Content-Type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["created"], report["rejected"]) == (50, 1)
    assert report["rejects"][0]["line"] == 52


async def test_messages_show_their_words(
    client: httpx.AsyncClient, engine: AsyncEngine, keys: Keys
) -> None:
    async with transaction(engine) as conn:
        world = await make.world(conn)
        ola = await make.prospect(conn, keys)
        mail = await make.identity(conn, keys, ola, "o@prospect.example")
        enrolled = await make.enrollment(conn, world, ola)
        sent = await make.message(conn, world, ola, enrolled, mail)
    whole = (await client.get(f"/api/messages/{sent}")).json()
    assert (whole["state"], whole["words"]) == ("pending", None)
    assert "lease_owner" not in whole
    for path in (f"/api/enrollments/{enrolled}", "/api/hosts/sales", "/api/sequences/test"):
        assert (await client.get(path)).status_code == 200, path
    version = await client.get("/api/sequences/test/versions/1")
    assert version.json()["definition"]["sequence"] == "test"


async def test_an_old_or_missing_migration_is_refused_at_the_start(
    settings: Settings, engine: AsyncEngine
) -> None:
    async with transaction(engine) as conn:
        await conn.exec_driver_sql("update alembic_version set version_num = '0001'")
    made = create_app(settings)
    with pytest.raises(SetupError, match="run `avtale migrate`"):
        async with made.router.lifespan_context(made):
            pass


async def test_openapi_is_whole_and_its_page_needs_nothing_from_outside(
    client: httpx.AsyncClient,
) -> None:
    schema = (await client.get("/openapi.json")).json()
    ids = [one["operationId"] for methods in schema["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids))
    assert "HTTPValidationError" not in json.dumps(schema)
    assert "Problem" in schema["components"]["schemas"]
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    for one in ids:
        assert f'id="{one}"' in page.text
