"""What every outcome of a send means, and what the provider was asked."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from channels.base import Draft, NotSent, OutboundMessage, Refused, SendResult, Sent, Unknown
from channels.linkedin.adapter import LinkedinChannel
from tests.channels.linkedin.server import FakeUnipile, seat, serving
from tests.channels.make import draft, passing

REQUEST, MESSAGE, CHAT = {"request": True}, {"user_ref": "u-1"}, {"thread_ref": "chat-1"}


def outbound(text: str = "Hei Ola", **values: Any) -> OutboundMessage:
    frozen = LinkedinChannel().freeze(seat(1), said(text, request=values.get("request", False)))
    made: dict[str, Any] = {"recipient": "ola-hansen", "idempotency_key": "k"}
    return OutboundMessage(UUID(int=7), payload=frozen, **made | values)


def said(text: str, **values: Any) -> Draft:
    return draft(recipient="ola-hansen", text=text, **values)


async def send(
    server: FakeUnipile, message: OutboundMessage, **settings: Any
) -> tuple[SendResult, int]:
    """The result, and how often the point of no return was asked for."""
    channel = LinkedinChannel()
    pass_point, asked = passing()
    try:
        return await channel.send(seat(server.port, **settings), message, pass_point), len(asked)
    finally:
        await channel.close()


@pytest.fixture
async def server() -> Any:
    async with serving(FakeUnipile()) as made:
        yield made


async def test_an_invitation(server: FakeUnipile) -> None:
    result, asked = await send(server, outbound(request=True))
    assert (result, asked) == (Sent(user_ref="u-ola-hansen", request_ref="req-0"), 1)
    assert [one[:2] for one in server.seen] == [
        ("GET", "/v2/acc_1/users/ola-hansen"),
        ("POST", "/v2/acc_1/users/me/relation-requests"),
    ]
    assert server.seen[1][2] == {"message": "Hei Ola", "user_id": "u-ola-hansen"}


async def test_an_invitation_without_a_note(server: FakeUnipile) -> None:
    await send(server, outbound("", request=True))
    assert server.seen[1][2] == {"user_id": "u-ola-hansen"}


async def test_a_first_message(server: FakeUnipile) -> None:
    result, _ = await send(server, outbound())
    assert result == Sent("m-0", user_ref="u-ola-hansen", thread_ref="chat-u-ola-hansen")
    assert server.seen[1] == (
        "POST",
        "/v2/acc_1/chats/send",
        {"text": "Hei Ola", "users_ids": ["u-ola-hansen"]},
    )


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, "/v2/chats/chat%2F1/messages/send"),
        ({"account_in_chat_paths": True}, "/v2/acc_1/chats/chat%2F1/messages/send"),
    ],
)
async def test_a_message_in_a_thread_looks_nobody_up(
    server: FakeUnipile, settings: dict[str, Any], path: str
) -> None:
    server.fail("POST", "send", status=201, body={"message_id": "m-9"})
    result, _ = await send(server, outbound(thread_ref="chat/1", user_ref="u-1"), **settings)
    assert result == Sent("m-9", user_ref="u-1", thread_ref="chat/1")
    assert server.seen == [("POST", path, {"text": "Hei Ola"})]


async def test_who_is_connected_gets_no_invitation(server: FakeUnipile) -> None:
    server.profiles["ola-hansen"] = {"provider_id": "u-7", "network_distance": "FIRST_DEGREE"}
    result, asked = await send(server, outbound(request=True))
    assert isinstance(result, Sent)
    assert (result.connected, result.user_ref, asked, server.written) == (True, "u-7", 1, [])


async def test_an_invitation_that_is_out_already_is_found(server: FakeUnipile) -> None:
    server.requests.append({"id": "req-5", "user_id": "u-ola-hansen", "status": "pending"})
    server.fail("POST", "requests", status=422, body={"type": "errors/already_invited_recently"})
    result, _ = await send(server, outbound(request=True))
    assert isinstance(result, Sent)
    assert (result.request_ref, result.connected) == ("req-5", False)


@pytest.mark.parametrize("how", [REQUEST, MESSAGE, CHAT], ids=["request", "message", "chat"])
@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ({"status": 200, "body": b"no JSON"}, Sent),
        ({"status": 202, "body": b""}, Sent),
        ({"status": 303}, Unknown),
        ({"status": 400, "body": {}}, ("refused", "fine")),
        ({"status": 400, "body": b"<html>"}, ("not_the_api", "pause")),
        ({"status": 401, "body": {}}, ("auth", "pause")),
        ({"status": 403, "body": {}}, ("auth", "pause")),
        ({"status": 404, "body": b""}, ("not_the_api", "pause")),
        (
            {"status": 404, "body": {"type": "errors/x", "title": "Account not found"}},
            ("no_such_account", "pause"),
        ),
        ({"status": 408, "body": {}}, ("rate_limited", "park")),
        ({"status": 409, "body": {}}, ("refused", "fine")),
        ({"status": 422, "body": {"type": "errors/cannot_resend_yet"}}, ("cannot_resend_yet", "")),
        ({"status": 422, "body": {"type": "errors/no_connection_with_recipient"}}, "not_connected"),
        ({"status": 422, "body": {"type": "errors/invalid_recipient"}}, "bad_address"),
        ({"status": 422, "body": {"type": "errors/blocked_recipient"}}, "unreachable"),
        ({"status": 425, "body": {}}, ("rate_limited", "park")),
        ({"status": 429, "body": b""}, ("rate_limited", "park")),
        *(({"status": status, "body": {}}, Unknown) for status in (500, 502, 503, 504, 599)),
        ({"drop": True}, Unknown),
        ({"drop": True, "act": True}, Unknown),
        ({"hang": True}, Unknown),
    ],
    ids=str,
)
async def test_after_the_request_was_written(
    server: FakeUnipile, how: dict[str, Any], fault: dict[str, Any], wanted: Any
) -> None:
    server.fail("POST", "", **fault)
    result, asked = await send(server, outbound(**how))
    assert asked == 1
    posts = [one for one in server.seen if one[0] == "POST"]
    assert len(posts) == 1  # nothing is sent twice, whatever the answer
    match wanted:
        case str() as kind:
            assert isinstance(result, Refused)
            assert (result.kind, result.bad_address) == (kind, kind == "bad_address")
        case (kind, _) if kind == "refused":
            assert isinstance(result, Refused)
            assert not result.bad_address
        case (kind, lane):
            assert isinstance(result, NotSent)
            assert (result.kind, result.lane) == (kind, lane or "fine")
        case made:
            assert isinstance(result, made)


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        (REQUEST, Refused("bad_address", "request: 404 errors/not_found", True)),
        (MESSAGE, Refused("bad_address", "message: 404 errors/not_found", True)),
        (CHAT, Refused("no_such_chat", "chat: 404 errors/not_found")),
    ],
)
async def test_404_is_of_the_person_or_of_the_chat(
    server: FakeUnipile, how: dict[str, Any], wanted: Refused
) -> None:
    body = {"type": "errors/not_found", "detail": "Ola Hansen is not there"}
    server.fail("POST", "", status=404, body=body)
    assert (await send(server, outbound(**how)))[0] == wanted  # and does not quote the provider


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("already_connected", Sent(detail="x", connected=True)),
        ("already_invited", Sent(detail="x")),
    ],
)
async def test_409_of_an_invitation_that_is_not_needed(
    server: FakeUnipile, name: str, wanted: Sent
) -> None:
    server.fail("POST", "", status=409, body={"type": f"errors/{name}"})
    result, _ = await send(server, outbound(request=True))
    assert isinstance(result, Sent)
    assert result.connected == wanted.connected


@pytest.mark.parametrize(
    ("how", "lane", "wait"),
    [(REQUEST, "fine", 86400.0), (MESSAGE, "park", None), (CHAT, "park", None)],
)
async def test_a_limit_of_invitations_does_not_hold_up_messages(
    server: FakeUnipile, how: dict[str, Any], lane: str, wait: float | None
) -> None:
    server.fail("POST", "", status=422, body={"type": "errors/limit_exceeded"})
    result, _ = await send(server, outbound(**how))
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, result.retry_after) == ("rate_limited", lane, wait)


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e99"}, 7 * 86400.0),
        (
            {
                "date": "Tue, 24 Nov 2026 09:00:00 GMT",
                "retry-after": "Tue, 24 Nov 2026 09:01:00 GMT",
            },
            60.0,
        ),
    ],
)
async def test_the_lane_waits_as_long_as_it_was_told(
    server: FakeUnipile, headers: dict[str, str], wanted: float | None
) -> None:
    server.fail("POST", "", status=429, headers=headers)
    result, _ = await send(server, outbound(**MESSAGE))
    assert isinstance(result, NotSent)
    assert result.retry_after == wanted


@pytest.mark.parametrize(
    ("fault", "kind", "lane"),
    [
        ({"status": 401, "body": {}}, "auth", "pause"),
        ({"status": 429, "body": {}}, "rate_limited", "park"),
        ({"status": 503, "body": b""}, "provider", "park"),
        ({"status": 301}, "provider", "pause"),
        ({"status": 404, "body": b"<html>"}, "not_the_api", "pause"),
        ({"status": 200, "body": {"name": "x"}}, "lookup", "park"),
        ({"drop": True}, "lookup", "park"),
        ({"hang": True}, "lookup", "park"),
    ],
    ids=str,
)
async def test_a_lookup_that_fails_is_provably_unsent(
    server: FakeUnipile, fault: dict[str, Any], kind: str, lane: str
) -> None:
    server.fail("GET", "users", **fault)
    result, asked = await send(server, outbound())
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked) == (kind, lane, 0)


async def test_nobody_of_that_name(server: FakeUnipile) -> None:
    server.missing.add("ola-hansen")
    result, asked = await send(server, outbound(request=True))
    assert isinstance(result, Refused)
    assert (result.bad_address, asked) == (True, 0)


async def test_no_connection_is_provably_unsent_even_after_the_point() -> None:
    async with serving(FakeUnipile()) as gone:
        pass
    result, asked = await send(gone, outbound(**MESSAGE))
    assert isinstance(result, NotSent)
    assert (result.kind, result.lane, asked) == ("connect", "park", 1)


async def test_the_answer_may_not_drip_for_ever(server: FakeUnipile) -> None:
    server.fail("POST", "", drip=True)
    async with asyncio.timeout(3):
        result, _ = await send(server, outbound(**MESSAGE))
    assert isinstance(result, Unknown)


async def test_by_hand_sends_nothing(server: FakeUnipile) -> None:
    result, asked = await send(server, outbound(), mode="manual")
    assert isinstance(result, NotSent)
    assert (result.lane, asked, server.seen) == ("pause", 0, [])


async def test_another_address_than_the_canonical_is_refused(server: FakeUnipile) -> None:
    result, asked = await send(server, outbound(recipient="Ola-Hansen"))
    assert isinstance(result, Refused)
    assert (asked, server.seen) == (0, [])


@pytest.mark.parametrize(("tier", "limit"), [("free", 200), ("premium", 300)])
def test_a_note_is_never_cut(tier: str, limit: int) -> None:
    channel, account = LinkedinChannel(), seat(1, tier=tier)
    assert channel.request_limit(account) == limit
    channel.freeze(account, said("å" * limit, request=True))
    with pytest.raises(ValueError, match=rf"{limit + 1} characters; the network takes {limit}"):
        channel.freeze(account, said("å" * (limit + 1), request=True))
    channel.freeze(account, said("å" * (limit + 1)))


@pytest.mark.parametrize("text", ["", " \n", "x" * 8001, "a\x00b", "a\u2028b"])
def test_what_cannot_be_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"text"):
        LinkedinChannel().freeze(seat(1), said(text))


async def test_the_check_asks_who_the_seat_is(server: FakeUnipile) -> None:
    channel = LinkedinChannel()
    assert await channel.check(seat(server.port)) is None
    assert await channel.check(seat(1, mode="manual")) is None
    server.missing.add("me")
    assert isinstance(await channel.check(seat(server.port)), NotSent)
    await channel.close()
