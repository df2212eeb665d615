"""What every channel promises, whatever its provider."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from uuid import UUID

import pytest

from channels import registry
from channels.base import (
    NotSent,
    Refused,
    Sent,
    Stopped,
    Unknown,
    key_seconds,
)
from channels.email.adapter import EmailChannel
from channels.fake import FakeChannel
from channels.linkedin.adapter import LinkedinChannel
from channels.slack import SlackChannel
from tests.channels.bench import Bench
from tests.channels.linkedin.server import FakeUnipile, seat
from tests.channels.linkedin.server import serving as serving_unipile
from tests.channels.make import account, passing
from tests.channels.sink import HANG, Sink, serving
from tests.channels.slack_server import FakeSlack, slack_account
from tests.channels.slack_server import serving as serving_slack


async def email(stack: AsyncExitStack) -> Bench:
    sink = await stack.enter_async_context(serving(Sink()))
    return Bench(
        EmailChannel(),
        account(sink.port, data_timeout=20),
        lambda: len(sink.mails),
        lambda: sink.once.update(rcpt="450 4.2.0 later"),
        lambda: sink.once.update(body="drop"),
        lambda: sink.once.update(body=HANG),
    )


async def fake(stack: AsyncExitStack) -> Bench:
    channel = FakeChannel()

    def hang() -> None:
        channel.delay = 20

    return Bench(
        channel,
        account(1),
        lambda: len(channel.sent),
        lambda: channel.before.append(NotSent("deferred", "later")),
        lambda: channel.after.append(Unknown("dropped")),
        hang,
    )


async def slack(stack: AsyncExitStack) -> Bench:
    server = await stack.enter_async_context(serving_slack(FakeSlack()))
    return Bench(
        SlackChannel(),
        slack_account(server.port, timeout=20),
        lambda: len(server.posts),
        lambda: server.fail("conversations.open", error="internal_error"),
        lambda: server.fail("chat.postMessage", drop=True),
        lambda: server.fail("chat.postMessage", hang=True),
    )


async def linkedin(stack: AsyncExitStack) -> Bench:
    server = await stack.enter_async_context(serving_unipile(FakeUnipile()))
    return Bench(
        LinkedinChannel(),
        seat(server.port, read_timeout=20),
        lambda: len(server.written),
        lambda: server.fail("GET", "users", status=503),
        lambda: server.fail("POST", "send", drop=True),
        lambda: server.fail("POST", "send", hang=True),
        (" https://www.LinkedIn.com/in/Ola-Hansen/?x=1 ", "ola-hansen"),
        "person-{}",
    )


CHANNELS: dict[str, Callable[[AsyncExitStack], Awaitable[Bench]]] = {
    "email": email,
    "fake": fake,
    "linkedin": linkedin,
    "slack": slack,
}
for _name in set(registry.CHANNELS) - set(CHANNELS):
    if find_spec(f"tests.channels.{_name}") and find_spec(f"tests.channels.{_name}.bench"):
        CHANNELS[_name] = import_module(f"tests.channels.{_name}.bench").bench


@pytest.fixture(params=sorted(CHANNELS))
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        made = await CHANNELS[request.param](stack)
        yield made
        await made.channel.close()


def test_no_channel_goes_without() -> None:
    assert set(registry.CHANNELS) == set(CHANNELS) - {"fake"}


def test_a_channel_says_what_it_is(bench: Bench) -> None:
    assert bench.channel.name
    assert bench.channel.capabilities.subject in (True, False)


@pytest.mark.parametrize("name", registry.CHANNELS)
def test_the_line_of_a_channel_says_what_it_is(name: str) -> None:
    entry = registry.CHANNELS[name]
    made = entry.factory()
    assert (made.name, made.capabilities.subject) == (name, entry.subject)
    assert {source.channel for source in entry.sources} <= {name}


def test_one_address_has_one_spelling(bench: Bench) -> None:
    given, wanted = bench.spelling
    once = bench.channel.canonical(given)
    assert once == bench.channel.canonical(once) == wanted


@pytest.mark.parametrize("address", ["", "   ", "a b", "a\r\nb"])
def test_what_is_no_address_is_refused_in_words(bench: Bench, address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        bench.channel.canonical(address)


def test_freezing_twice_gives_the_same_bytes(bench: Bench) -> None:
    one = bench.channel.freeze(bench.account, bench.draft())
    assert one == bench.channel.freeze(bench.account, bench.draft())
    assert one != bench.channel.freeze(bench.account, bench.draft(text="Noe annet"))


def test_a_line_break_in_the_subject_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match=r"."):
        bench.channel.freeze(bench.account, bench.draft(subject="Hei\r\nBcc: x@y.example"))


async def test_a_message_arrives_once_and_passes_once(bench: Bench) -> None:
    pass_point, asked = passing()
    result = await bench.channel.send(bench.account, bench.message(), pass_point)
    assert isinstance(result, Sent)
    assert (len(asked), bench.arrived()) == (1, 1)


async def test_stopped_means_that_nothing_left(bench: Bench) -> None:
    pass_point, asked = passing(False)
    result = await bench.channel.send(bench.account, bench.message(), pass_point)
    assert (result, len(asked), bench.arrived()) == (Stopped(), 1, 0)


async def test_an_early_no_never_asks_to_pass(bench: Bench) -> None:
    bench.break_early()
    pass_point, asked = passing()
    result = await bench.channel.send(bench.account, bench.message(), pass_point)
    assert isinstance(result, NotSent | Refused)
    assert (asked, bench.arrived()) == ([], 0)


async def test_a_lost_answer_is_unknown(bench: Bench) -> None:
    bench.break_late()
    result = await bench.channel.send(bench.account, bench.message(), passing()[0])
    assert isinstance(result, Unknown)


async def test_cancelling_is_raised_again_and_the_next_send_works(bench: Bench) -> None:
    bench.hang_late()
    passed = asyncio.Event()

    async def pass_point() -> bool:
        passed.set()
        return True

    frozen = bench.message()
    task = asyncio.create_task(bench.channel.send(bench.account, frozen, pass_point))
    await passed.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if isinstance(bench.channel, FakeChannel):
        bench.channel.delay = 0
        bench.channel.after = deque()
    other = replace(frozen, idempotency_key="another")
    assert isinstance(await bench.channel.send(bench.account, other, passing()[0]), Sent)


async def test_what_the_point_of_no_return_raises_comes_through(bench: Bench) -> None:
    async def broken() -> bool:
        raise LookupError("the commit did not answer")

    with pytest.raises(LookupError):
        await bench.channel.send(bench.account, bench.message(), broken)
    assert bench.arrived() == 0


async def test_the_same_key_twice_arrives_once_where_that_is_declared(bench: Bench) -> None:
    """Of a channel that declares no key it is not known: nothing of it is sent twice by itself."""
    message = bench.message()
    for _ in range(2):
        assert isinstance(await bench.channel.send(bench.account, message, passing()[0]), Sent)
    keyed = key_seconds(bench.channel, bench.account, message)
    assert (keyed is None) == (bench.arrived() == 2)


async def test_twenty_at_once_do_not_mix(bench: Bench) -> None:
    sends = [
        bench.channel.send(
            bench.account,
            bench.message(recipient=bench.person.format(number), message_id=UUID(int=99 + number)),
            passing()[0],
        )
        for number in range(20)
    ]
    assert all(isinstance(one, Sent) for one in await asyncio.gather(*sends))
    assert bench.arrived() == 20


def test_secrets_are_in_no_repr() -> None:
    made = account(1, {"password": "canary-secret"})
    assert "canary" not in repr(made)
