"""Slack: what is said, where it goes, asking to be let in, and finding out afterwards."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import base
from channels.base import (
    Inviting,
    NotSent,
    OutboundMessage,
    Queryable,
    Refused,
    Sent,
    Stopped,
    Unknown,
)
from channels.registry import CHANNELS
from channels.slack import SlackChannel
from channels.slack.blocks import MAX_LENGTH
from orchestrator.ids import uuid7
from tests.channels.make import draft, message, passing
from tests.channels.slack_server import SECRETS, FakeSlack, serving, slack_account

POST = "chat.postMessage"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with serving(FakeSlack()) as made:
        yield made


@pytest.fixture
async def channel() -> AsyncIterator[SlackChannel]:
    made = SlackChannel()
    yield made
    await made.close()


def post(**values: Any) -> dict[str, Any]:
    """What a draft becomes."""
    frozen = json.loads(SlackChannel().freeze(slack_account(1), draft(**values)))
    found: dict[str, Any] = frozen["post"]
    return found


def test_the_registry_has_it_and_it_can_what_it_says() -> None:
    channel = CHANNELS["slack"].factory()
    for what in (Inviting, Queryable, base.Testable):
        assert isinstance(channel, what)
    assert channel.capabilities.invitation
    assert channel.capabilities.queryable
    assert channel.capabilities.buttons


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        (" t0ours:u0ola ", "T0OURS:U0OLA"),
        ("E0GRID:W0OLA", "E0GRID:W0OLA"),
        ("Ola@Bedrift.Example", "ola@bedrift.example"),
    ],
)
def test_a_person_is_an_email_address_or_a_user_of_a_workspace(typed: str, stored: str) -> None:
    assert SlackChannel().canonical(typed) == stored


@pytest.mark.parametrize("typed", ["U0OLA", "T0OURS:", "T0OURS:B0BOT", "@ola", "T0OURS:U0OLA\nX"])
def test_anything_else_is_nobody(typed: str) -> None:
    with pytest.raises(ValueError, match="address"):
        SlackChannel().canonical(typed)


def test_what_slack_would_read_as_markup_is_escaped() -> None:
    made = post(text="<!channel> & <@U1> se https://a.example/x?a=1&b=2.")
    wanted = "&lt;!channel&gt; &amp; &lt;@U1&gt; se <https://a.example/x?a=1&amp;b=2>."
    assert made["text"] == wanted
    assert made["blocks"][0]["text"] == {"type": "mrkdwn", "text": wanted, "verbatim": True}


def test_a_message_has_three_buttons_a_footer_our_key_and_no_unfurling() -> None:
    made = post(unsubscribe_url="https://a.example/u/t")
    kinds = [block["type"] for block in made["blocks"]]
    assert kinds == ["section", "actions", "context"]
    buttons = made["blocks"][1]["elements"]
    labels = [one["text"]["text"] for one in buttons]
    assert labels == ["Fortell meg mer", "Ikke nå", "Stopp"]
    assert {one["value"] for one in buttons} == {str(UUID(int=7))}
    assert "Kari Nordmann" in made["blocks"][2]["elements"][0]["text"]
    assert "<https://a.example/u/t|" in made["blocks"][2]["elements"][0]["text"]
    assert made["metadata"]["event_type"] == "avtale_message"
    assert made["metadata"]["event_payload"] == {"key": str(UUID(int=7))}
    assert (made["unfurl_links"], made["unfurl_media"]) == (False, False)


@pytest.mark.parametrize(
    ("language", "label"),
    [
        ("nb-NO", "Fortell meg mer"),
        ("nn", "Fortell meg mer"),
        ("sv", "Berätta mer"),
        ("da", "Fortæl mig mere"),
        ("de_AT", "Mehr erfahren"),
        ("en", "Tell me more"),
        ("fi", "Tell me more"),
    ],
)
def test_the_buttons_speak_the_prospects_language(language: str, label: str) -> None:
    assert post(language=language)["blocks"][1]["elements"][0]["text"]["text"] == label


def test_a_confirmation_has_no_buttons() -> None:
    assert [block["type"] for block in post(automatic=True)["blocks"]] == ["section"]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n"), max_size=MAX_LENGTH))
def test_every_section_fits_and_nothing_is_lost(text: str) -> None:
    text += "." + "&<" * 900
    text = text[-MAX_LENGTH:]
    made = post(text=text)
    sections = [b["text"]["text"] for b in made["blocks"] if b["type"] == "section"]
    assert all(0 < len(one) <= 3000 for one in sections)
    wanted, got = made["text"].split(), " ".join(sections).split()
    assert "".join(got) == "".join(wanted)


@pytest.mark.parametrize(
    "values",
    [
        {"text": ""},
        {"text": "  \n"},
        {"text": "a\0b"},
        {"text": "\ud800"},
        {"text": "x" * (MAX_LENGTH + 1)},
        {"recipient": "Ola@prospect.example"},
        {"recipient": "nobody"},
    ],
)
def test_what_cannot_be_said_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        post(**values)


async def test_a_message_goes_to_the_direct_message_of_whoever_has_the_address(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account = slack_account(slack.port)
    result = await channel.send(account, message(channel, account), passing()[0])
    assert isinstance(result, Sent)
    methods = [method for method, _ in slack.calls]
    assert methods == ["users.lookupByEmail", "conversations.open", POST]
    (posted,) = slack.posts
    assert result.provider_ref == f"{posted['channel']}:{posted['ts']}"
    assert result.thread_ref == posted["channel"]
    assert result.user_ref is not None
    assert result.user_ref.startswith("T0OURS:U")
    wanted = json.loads(channel.freeze(account, draft()))["post"]
    assert {name: posted[name] for name in wanted} == wanted


async def test_known_people_and_conversations_are_not_looked_up_again(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account = slack_account(slack.port)
    frozen = message(channel, account)
    await channel.send(account, replace(frozen, user_ref="T0OURS:U0OLA"), passing()[0])
    assert [method for method, _ in slack.calls] == ["conversations.open", POST]
    assert slack.called("conversations.open") == [{"users": "U0OLA"}]
    slack.calls.clear()
    await channel.send(account, replace(frozen, thread_ref="D0OLA"), passing()[0])
    assert [method for method, _ in slack.calls] == [POST]
    assert slack.posts[-1]["channel"] == "D0OLA"


async def test_the_envelope_and_the_message_must_agree(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account = slack_account(slack.port)
    frozen = message(channel, account)
    for other in (replace(frozen, recipient="per@prospect.example"), replace(frozen, request=True)):
        result = await channel.send(account, other, passing()[0])
        assert isinstance(result, Refused)
    assert slack.calls == []


async def test_a_message_to_another_workspace_waits_for_the_acceptance(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account = slack_account(slack.port, reach="connect")
    assert channel.needs_request(account)
    assert not channel.needs_request(slack_account(slack.port))
    frozen = message(channel, account)
    pass_point, asked = passing()
    result = await channel.send(account, frozen, pass_point)
    assert isinstance(result, NotSent)
    assert (result.kind, asked, slack.calls) == ("not_accepted", [], [])
    result = await channel.send(account, replace(frozen, thread_ref="C0SHARED"), pass_point)
    assert isinstance(result, Sent)
    assert slack.posts[0]["channel"] == "C0SHARED"


def asking(channel: SlackChannel, slack: FakeSlack, **values: Any) -> Any:
    """An account that invites, and a frozen invitation."""
    account = slack_account(slack.port, reach="connect", timeout=slack.patience)
    said = draft(request=True, text="", **values)
    payload = channel.freeze(account, said)
    return account, OutboundMessage(
        said.message_id, said.recipient, payload, str(said.message_id), request=True
    )


async def test_an_invitation_is_a_channel_for_two_and_one_invited_address(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account, frozen = asking(channel, slack)
    result = await channel.send(account, frozen, passing()[0])
    assert isinstance(result, Sent)
    (made,), (invited,) = slack.channels, slack.called("conversations.inviteShared")
    assert made["name"].startswith("kari-nordmann-")
    assert made["is_private"] == "true"
    assert invited["emails"] == "ola@prospect.example"
    assert invited["external_limited"] == "true"
    assert result.thread_ref == made["id"] == invited["channel"]
    assert result.request_ref == result.provider_ref == slack.invites[0]["invite"]["id"]
    assert channel.request_limit(account) == 0


async def test_whoever_is_known_is_invited_by_user(slack: FakeSlack, channel: SlackChannel) -> None:
    account, frozen = asking(channel, slack, recipient="T0THEIRS:U0OLA")
    await channel.send(account, frozen, passing()[0])
    (invited,) = slack.called("conversations.inviteShared")
    assert invited["user_ids"] == "U0OLA"
    assert "emails" not in invited


async def test_a_stopped_invitation_leaves_a_channel_that_the_next_attempt_finds(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    slack.page = 2
    slack.channels += [{"id": f"C{n}", "name": f"other-{n}"} for n in range(5)]
    account, frozen = asking(channel, slack)
    assert await channel.send(account, frozen, passing(False)[0]) == Stopped()
    assert slack.invites == []
    result = await channel.send(account, frozen, passing()[0])
    assert isinstance(result, Sent)
    assert (len(slack.channels), len(slack.invites)) == (6, 1)
    assert result.thread_ref == slack.channels[-1]["id"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [("missing_scope", NotSent), ("ratelimited", NotSent), ("user_not_found", Refused)],
)
@pytest.mark.parametrize("method", ["conversations.create", "conversations.inviteShared"])
async def test_an_invitation_that_is_refused_says_so(
    slack: FakeSlack, channel: SlackChannel, method: str, error: str, kind: type
) -> None:
    account, frozen = asking(channel, slack)
    slack.fail(method, error=error)
    assert isinstance(await channel.send(account, frozen, passing()[0]), kind)
    assert slack.invites == []


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize("fault", [{"drop": True}, {"error": "fatal_error"}, {"hang": True}])
async def test_an_invitation_without_an_answer_is_unknown_until_slack_is_asked(
    slack: FakeSlack, channel: SlackChannel, fault: dict[str, Any], acts: bool
) -> None:
    slack.fail("conversations.inviteShared", **fault, acts=acts)
    account, frozen = asking(channel, slack)
    assert isinstance(await channel.send(account, frozen, passing()[0]), Unknown)
    found = await channel.find(account, frozen)
    if not acts:
        assert found is None
        return
    assert isinstance(found, Sent)
    assert found.request_ref == slack.invites[0]["invite"]["id"]
    assert found.thread_ref == slack.channels[0]["id"]


async def test_asking_about_an_invitation_that_was_never_made(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account, frozen = asking(channel, slack)
    assert await channel.find(account, frozen) is None
    slack.fail("conversations.list", error="ratelimited", status=429)
    assert isinstance(await channel.find(account, frozen), Unknown)
    await channel.send(account, frozen, passing()[0])
    slack.fail("conversations.listConnectInvites", error="missing_scope")
    assert isinstance(await channel.find(account, frozen), Unknown)


@pytest.mark.parametrize("acts", [True, False])
async def test_asking_about_a_message_looks_for_our_key(
    slack: FakeSlack, channel: SlackChannel, acts: bool
) -> None:
    account = slack_account(slack.port)
    slack.page = 3
    for number in range(7):
        others = message(channel, account, message_id=UUID(int=100 + number))
        await channel.send(account, others, passing()[0])
    frozen = message(channel, account)
    slack.fail(POST, error="internal_error", acts=acts)
    assert isinstance(await channel.send(account, frozen, passing()[0]), Unknown)
    found = await channel.find(account, frozen)
    if acts:
        assert isinstance(found, Sent)
        assert found.provider_ref == f"{slack.posts[-1]['channel']}:{slack.posts[-1]['ts']}"
    else:
        assert found is None
    asked = slack.called("conversations.history")[0]
    assert asked["include_all_metadata"] == "true"
    assert int(asked["limit"]) <= 15


async def test_asking_starts_where_the_message_was_made(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account, made = slack_account(slack.port), uuid7()
    assert await channel.find(account, message(channel, account, message_id=made)) is None
    oldest = float(slack.called("conversations.history")[0]["oldest"])
    assert 3500 < datetime.now(UTC).timestamp() - oldest < 3700


@pytest.mark.parametrize(
    "fault",
    [
        {"error": "ratelimited", "status": 429},
        {"error": "missing_scope"},
        {"drop": True},
        {"body": '{"ok": true}'},
        {"body": '{"ok": true, "messages": [], "has_more": true}'},
    ],
)
async def test_asking_in_vain_is_unknown(
    slack: FakeSlack, channel: SlackChannel, fault: dict[str, Any]
) -> None:
    account = slack_account(slack.port)
    slack.fail("conversations.history", **fault)
    assert isinstance(await channel.find(account, message(channel, account)), Unknown)
    slack.fail("conversations.open", **fault)
    assert isinstance(await channel.find(account, message(channel, account)), Unknown)


async def test_a_long_history_is_unknown_and_not_a_no(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account = slack_account(slack.port)
    for number in range(9):
        others = message(channel, account, message_id=UUID(int=100 + number))
        await channel.send(account, others, passing()[0])
    slack.page = 2
    assert isinstance(await channel.find(account, message(channel, account)), Unknown)


async def test_polling_tells_of_acceptances_that_need_no_approval_any_more(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account, frozen = asking(channel, slack)
    sent = await channel.send(account, frozen, passing()[0])
    assert isinstance(sent, Sent)
    since = datetime.fromtimestamp(1_789_000_000, UTC)
    assert await channel.poll(account, since) == []
    acceptance = {
        "approval_status": "pending_approval",
        "date_accepted": 1_790_000_500,
        "accepting_team": {"id": "T0THEIRS"},
        "accepting_user": {"id": "U0OLA"},
    }
    slack.invites[0]["acceptances"] = [acceptance]
    assert await channel.poll(account, since) == []
    acceptance["approval_status"] = "approved"
    (event,) = await channel.poll(account, since)
    assert (event.kind, event.user_ref) == ("acceptance", "T0THEIRS:U0OLA")
    assert (event.thread_ref, event.provider_ref) == (sent.thread_ref, sent.request_ref)
    assert event.address == "ola@prospect.example"
    assert event.external_id == f"invite:{sent.request_ref}:acceptance"
    assert await channel.poll(account, since) == [event]
    assert await channel.poll(account, datetime(2027, 1, 1, tzinfo=UTC)) == []
    slack.invites[0] |= {"acceptances": [], "status": "declined"}
    assert [event.kind for event in await channel.poll(account, since)] == ["declined"]
    slack.fail("conversations.listConnectInvites", error="ratelimited", status=429)
    with pytest.raises(OSError, match="ratelimited"):
        await channel.poll(account, since)
    assert await channel.poll(slack_account(slack.port), since) == []


async def test_withdrawing_closes_the_channel_unless_somebody_came_in(
    slack: FakeSlack, channel: SlackChannel
) -> None:
    account, frozen = asking(channel, slack)
    sent = await channel.send(account, frozen, passing()[0])
    assert isinstance(sent, Sent)
    assert sent.request_ref is not None
    slack.fail("conversations.listConnectInvites", error="ratelimited", status=429)
    assert not await channel.withdraw(account, sent.request_ref)
    assert not await channel.withdraw(account, "I0OTHER")
    slack.invites[0]["acceptances"] = [{"approval_status": "pending_approval"}]
    assert not await channel.withdraw(account, sent.request_ref)
    assert not slack.channels[0]["is_archived"]
    slack.invites[0]["acceptances"] = []
    assert await channel.withdraw(account, sent.request_ref)
    assert slack.channels[0]["is_archived"]


def test_the_pace_comes_from_the_settings() -> None:
    channel = SlackChannel()
    pace = channel.request_pace(slack_account(1))
    assert (pace.daily, pace.weekly, pace.withdraw_after_days, pace.ban_days) == (20, 80, 14, 30)
    assert channel.request_pace(slack_account(1, daily_requests=3)).daily == 3


@pytest.mark.parametrize(
    ("settings_", "secrets", "names"),
    [
        ({}, {}, "workspace"),
        ({"workspace": "acme"}, {}, "workspace"),
        ({"workspace": "T1ABC", "reach": "everybody"}, {}, "reach"),
        ({"workspace": "T1ABC", "base_url": "http://slack.example/api/"}, {}, "clear"),
        ({"workspace": "T1ABC", "base_url": "ftp://slack.example"}, {}, "base_url"),
        ({"workspace": "T1ABC", "tokne": "x"}, {}, "tokne"),
        ({"workspace": "T1ABC"}, {"bot_token": ""}, "bot_token"),
        ({"workspace": "T1ABC"}, {"bot_token": "xoxb a"}, "bot_token"),
        ({"workspace": "T1ABC"}, {"signing_secret": ""}, "signing_secret"),
    ],
)
def test_settings_that_cannot_work_are_named(
    settings_: dict[str, Any], secrets: dict[str, str], names: str
) -> None:
    with pytest.raises(ValueError, match=names) as caught:
        SlackChannel().check_settings(settings_, SECRETS | secrets)
    assert "xoxb a" not in str(caught.value)


async def test_trying_an_account_out(slack: FakeSlack, channel: SlackChannel) -> None:
    slack.scopes = "chat:write,im:history,im:write,users:read,users:read.email"
    account = slack_account(slack.port)
    assert await channel.check(account) is None
    slack.scopes = "chat:write,im:history,im:write,users:read"
    lacking = await channel.check(account)
    assert lacking is not None
    assert "users:read.email" in lacking.detail
    elsewhere = await channel.check(slack_account(slack.port, workspace="T0ELSE"))
    assert elsewhere is not None
    assert "T0OURS" in elsewhere.detail
    slack.fail("auth.test", error="token_revoked")
    revoked = await channel.check(account)
    assert revoked is not None
    assert (revoked.kind, revoked.lane) == ("token_revoked", "pause")
