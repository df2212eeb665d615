"""Asking the provider what became of a message or an invitation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from channels.base import Sent, Unknown
from channels.linkedin.adapter import LinkedinChannel
from channels.linkedin.evidence import letters, written_after
from tests.channels.linkedin.server import FakeUnipile, seat, serving
from tests.channels.linkedin.test_send import outbound

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
# A UUIDv7 made at AT.
SEVEN = UUID(int=(int(AT.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62))
TEXT = "Hei Ola.\n\n“Bilag” på papir?"


@pytest.fixture
async def server() -> Any:
    async with serving(FakeUnipile()) as made:
        yield made


async def find(server: FakeUnipile, **values: Any) -> Sent | Unknown | None:
    channel = LinkedinChannel()
    message = replace(outbound(TEXT, **values), message_id=SEVEN)
    try:
        return await channel.find(seat(server.port, user_id="u-me"), message)
    finally:
        await channel.close()


def line(text: str | None = TEXT, **values: Any) -> dict[str, Any]:
    at = AT.isoformat()
    return {"id": "m-1", "text": text, "is_sender": 1, "timestamp": at} | values


def test_a_message_cannot_be_older_than_its_id() -> None:
    assert written_after(SEVEN) == AT - timedelta(minutes=5)
    assert written_after(UUID(int=7)).year == 1970


def test_networks_change_spaces_and_quotes() -> None:
    assert letters(TEXT) == letters('Hei  Ola. "Bilag" på papir ?')
    assert letters("👍 ") == "👍"


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        ([], None),
        ([line()], "m-1"),
        ([line('Hei Ola. "Bilag" på papir?')], "m-1"),
        ([line("Noe annet")], None),
        ([line(is_sender=0, sender_id="u-ola")], None),
        ([line(is_sender=None, sender_id="u-me")], "m-1"),
        ([line(is_sender=None)], Unknown),  # it does not say who wrote it
        ([line(timestamp=(AT - timedelta(hours=1)).isoformat())], None),  # an earlier step
        ([line(timestamp=None)], "m-1"),
        ([line(None, deleted=1)], Unknown),
        ([line("Hei Ola. Bilag på papi")], None),
        ([line("x"), line(id="m-2")], "m-2"),
    ],
)
async def test_our_message_in_the_chat(
    server: FakeUnipile, listed: list[dict[str, Any]], wanted: Any
) -> None:
    server.chats["chat-1"] = listed
    result = await find(server, thread_ref="chat-1", user_ref="u-ola")
    if isinstance(wanted, str):
        assert result == Sent(wanted, "found in the chat", "u-ola", "chat-1")
    else:
        assert result is None if wanted is None else isinstance(result, wanted)


async def test_a_text_that_was_cut_may_be_ours(server: FakeUnipile) -> None:
    server.chats["chat-1"] = [line(TEXT + "Hei Ola.")]
    channel = LinkedinChannel()
    message = replace(outbound(TEXT * 3, thread_ref="chat-1"), message_id=SEVEN)
    assert isinstance(await channel.find(seat(server.port), message), Unknown)
    await channel.close()


async def test_without_a_thread_the_chat_is_asked_for(server: FakeUnipile) -> None:
    assert await find(server) is None  # no chat with this person at all
    server.chats["chat-u-ola-hansen"] = [line()]
    assert await find(server) == Sent(
        "m-1", "found in the chat", "u-ola-hansen", "chat-u-ola-hansen"
    )


async def test_every_page_is_read_before_no(server: FakeUnipile) -> None:
    server.page = 2
    newer = [line("x", timestamp=(AT + timedelta(hours=n)).isoformat()) for n in range(1, 8)]
    server.chats["chat-1"] = [line(), *newer]
    assert isinstance(await find(server, thread_ref="chat-1"), Sent)
    server.page = 1  # eleven pages: the end is not reached
    server.chats["chat-1"] = [line("x", id=f"n-{n}") for n in range(11)]
    assert isinstance(await find(server, thread_ref="chat-1"), Unknown)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"thread_ref": "chat-1"}, "/"),
        ({}, "/users"),
        ({}, "/chat"),
        ({"request": True}, "/users"),
        ({"request": True}, "relation-requests"),
    ],
)
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 401, "body": {}},
        {"status": 404, "body": b"<html>"},
        {"status": 404, "body": {"title": "Account not found"}},
        {"status": 200, "body": b"junk"},
        {"drop": True},
        {"hang": True},
    ],
    ids=str,
)
async def test_no_answer_is_unknown_and_never_no(
    server: FakeUnipile, fault: dict[str, Any], values: dict[str, Any], where: str
) -> None:
    server.fail("GET", where, **fault)
    assert isinstance(await find(server, **values), Unknown)


async def test_our_invitation_in_the_list(server: FakeUnipile) -> None:
    assert await find(server, request=True) is None
    server.requests += [
        {"id": "r-1", "user_id": "u-else", "status": "pending"},
        {"id": "r-2", "invited_user": {"id": "u-ola-hansen"}},
    ]
    result = await find(server, request=True)
    assert isinstance(result, Sent)
    assert (result.request_ref, result.user_ref, result.connected) == ("r-2", "u-ola-hansen", False)


@pytest.mark.parametrize(
    ("profile", "connected"),
    [
        ({"is_relationship": True}, True),
        ({"network_distance": "DISTANCE_1"}, True),
        ({"invitation": {"type": "SENT", "status": "PENDING"}}, False),
    ],
)
async def test_the_profile_may_tell_as_well(
    server: FakeUnipile, profile: dict[str, Any], connected: bool
) -> None:
    server.profiles["ola-hansen"] = {"id": "u-1", **profile}
    result = await find(server, request=True)
    assert isinstance(result, Sent)
    assert result.connected is connected


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (None, True),
        ({"status": 404, "body": {}}, True),
        ({"status": 404, "body": b"<html>"}, False),
        ({"status": 429, "body": {}}, False),
        ({"status": 500, "body": {}}, False),
        ({"drop": True}, False),
    ],
)
async def test_withdrawing(server: FakeUnipile, fault: Any, wanted: bool) -> None:
    server.requests.append({"id": "req/0", "user_id": "u-1"})
    if fault is not None:
        server.fail("POST", "cancel", **fault)
    channel = LinkedinChannel()
    assert await channel.withdraw(seat(server.port), "req/0") is wanted
    assert len(server.requests) == (0 if fault is None else 1)
    await channel.close()


async def test_polling_tells_who_let_us_in(server: FakeUnipile) -> None:
    late, early = (AT + timedelta(hours=1)).isoformat(), (AT - timedelta(days=9)).isoformat()
    server.relations += [
        {"user_id": "u-1", "public_identifier": "Ola-Hansen", "created_at": late},
        {"member_id": "u-2", "created_at": int((AT + timedelta(hours=1)).timestamp() * 1000)},
        {"user_id": "u-3", "created_at": early},
        {"id": "u-4"},
    ]
    server.requests += [
        {"id": "r-1", "user_id": "u-1", "status": "accepted"},
        {"id": "r-5", "user_id": "u-5", "status": "declined"},
        {"id": "r-6", "user_id": "u-6", "status": "pending"},
    ]
    channel = LinkedinChannel()
    found = await channel.poll(seat(server.port), AT)
    assert [one.external_id for one in found] == [
        *("acceptance:u-1", "acceptance:u-2", "acceptance:u-4", "declined:u-5")
    ]
    assert (found[0].address, found[0].occurred_at) == ("ola-hansen", AT + timedelta(hours=1))
    assert await channel.poll(seat(server.port, mode="manual"), AT) == []
    await channel.close()


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 401, "body": {}}, {"drop": True}])
async def test_polling_says_when_the_provider_does_not(
    server: FakeUnipile, fault: dict[str, Any]
) -> None:
    server.fail("GET", "relations", **fault)
    channel = LinkedinChannel()
    with pytest.raises(OSError, match=r"."):
        await channel.poll(seat(server.port), AT)
    await channel.close()


async def test_a_long_list_of_relations_is_no_fault(server: FakeUnipile) -> None:
    server.page = 1
    server.relations += [{"user_id": f"u-{number}"} for number in range(12)]
    channel = LinkedinChannel()
    assert len(await channel.poll(seat(server.port), AT)) == 10
    await channel.close()
