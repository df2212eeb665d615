"""A connection that stays open: what it says ahead, and what becomes of it when it breaks."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import pytest

from channels.base import (
    Account,
    Handing,
    NotSent,
    OutboundMessage,
    Refused,
    SendResult,
    Sent,
    Stopped,
    Unknown,
)
from channels.email.adapter import EmailChannel
from tests.channels.make import account, message
from tests.channels.sink import DROP, HANG, Sink, serving


@pytest.fixture(params=[False, True], ids=["one-by-one", "pipelined"])
def pipelined(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every test talks to a server that takes a command at a time, and to one that takes more."""
    monkeypatch.setattr(Sink, "announces_pipelining", request.param)
    return bool(request.param)


@dataclass
class Letter:
    """One message, which passes when it is told to."""

    message: OutboundMessage
    passes: bool = True
    asked: int = 0

    async def pass_point(self) -> bool:
        self.asked += 1
        return self.passes


@dataclass
class Box:
    """A feed that keeps what came of its letters."""

    waiting: deque[Letter]
    results: dict[str, SendResult] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    backs: int = 0

    def next(self) -> Letter | None:
        if not self.waiting:
            return None
        self.order.append("next")
        return self.waiting.popleft()

    def done(self, one: Handing, result: SendResult) -> None:
        self.order.append("done")
        assert one.message.idempotency_key not in self.results
        self.results[one.message.idempotency_key] = result

    def back(self, one: Handing) -> None:
        assert isinstance(one, Letter)
        self.backs += 1
        self.waiting.appendleft(one)


def box(channel: EmailChannel, sender: Account, count: int) -> Box:
    letters = []
    for number in range(count):
        made = message(channel, sender, subject=f"number {number}")
        letters.append(
            Letter(OutboundMessage(made.message_id, made.recipient, made.payload, f"{number}"))
        )
    return Box(deque(letters))


async def stream(sink: Sink, filled: int, prepare: object = None, **settings: float) -> Box:
    channel = EmailChannel()
    sender = account(sink.port, **settings)
    made = box(channel, sender, filled)
    if callable(prepare):
        prepare(made)
    await asyncio.wait_for(channel.stream(sender, made), 20)
    await channel.close()
    return made


async def test_many_mails_leave_in_order_over_one_connection(pipelined: bool) -> None:
    async with serving(Sink()) as sink:
        made = await stream(sink, 5)
    assert [made.results[f"{n}"].__class__ for n in range(5)] == [Sent] * 5
    subjects = [f"Subject: number {n}\r\n".encode() for n in range(5)]
    assert [each in mail.data for each, mail in zip(subjects, sink.mails, strict=True)] == [
        True
    ] * 5
    assert sink.connections == 1


async def test_the_next_mail_is_named_with_the_body_of_the_last(pipelined: bool) -> None:
    """One round trip a mail where the server takes it (RFC 2920), four where it does not."""
    async with serving(Sink()) as sink:
        made = await stream(sink, 3)
    ahead = ["next", "next", "done", "next", "done", "done"]
    assert made.order == (ahead if pipelined else ["next", "done"] * 3)


async def test_a_recycled_connection_names_nobody_ahead(
    pipelined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hears an envelope and then QUIT has cause to wonder."""
    monkeypatch.setattr("channels.email.pool.MAX_MAILS", 2)
    async with serving(Sink()) as sink:
        made = await stream(sink, 5)
    assert len(sink.mails) == len(made.results) == 5
    assert (sink.connections, sink.heard.count(b"MAIL")) == (3, 5)
    assert not sink.cut_off


async def test_a_refusal_in_the_middle_costs_only_itself(pipelined: bool) -> None:
    async with serving(Sink(once={"rcpt": "550 5.1.1 no such user"})) as sink:
        made = await stream(sink, 3)
    assert isinstance(made.results["0"], Refused)
    assert isinstance(made.results["1"], Sent)
    assert isinstance(made.results["2"], Sent)
    assert sink.connections == 1


@pytest.mark.parametrize(("answer", "kind"), [("554 5.6.0 spam", Refused), ("451 4.3.0", NotSent)])
async def test_a_body_that_is_refused_does_not_touch_the_next(
    answer: str, kind: type, pipelined: bool
) -> None:
    async with serving(Sink(once={"body": answer})) as sink:
        made = await stream(sink, 3)
    assert isinstance(made.results["0"], kind)
    assert isinstance(made.results["1"], Sent)
    assert isinstance(made.results["2"], Sent)
    assert sink.connections == 1


@pytest.mark.parametrize("answer", [DROP, HANG])
async def test_silence_after_a_body_leaves_one_in_doubt_and_the_next_goes_elsewhere(
    answer: str, pipelined: bool
) -> None:
    """At most one message a connection is in doubt; what was only named goes out once."""
    async with serving(Sink(once={"body": answer})) as sink:
        made = await stream(sink, 3)
    assert isinstance(made.results["0"], Unknown)
    assert isinstance(made.results["1"], Sent)
    assert isinstance(made.results["2"], Sent)
    assert made.backs == pipelined
    assert (sink.connections, len(sink.mails)) == (2, 3)


async def test_421_after_a_body_hands_the_next_back(pipelined: bool) -> None:
    async with serving(Sink(once={"body": "421 4.3.2 closing"})) as sink:
        made = await stream(sink, 2)
    first = made.results["0"]
    assert isinstance(first, NotSent)
    assert first.lane == "park"
    assert isinstance(made.results["1"], Sent)  # the sender would have asked for no more
    assert made.backs == pipelined


async def test_what_is_stopped_leaves_by_hanging_up_and_the_others_go_on(pipelined: bool) -> None:
    def stop_the_second(made: Box) -> None:
        made.waiting[1].passes = False

    async with serving(Sink()) as sink:
        made = await stream(sink, 3, stop_the_second)
    assert made.results["1"] == Stopped()
    assert isinstance(made.results["0"], Sent)
    assert isinstance(made.results["2"], Sent)
    assert (len(sink.mails), sink.connections) == (2, 1 + pipelined)


async def test_nobody_passes_before_the_mail_before_it_has_its_answer(pipelined: bool) -> None:
    """In doubt after a crash is at most one message a connection (L2)."""
    async with serving(Sink(once={"body": HANG})) as sink:
        channel = EmailChannel()
        sender = account(sink.port, data_timeout=30)
        made = box(channel, sender, 2)
        first, second = made.waiting
        task = asyncio.create_task(channel.stream(sender, made))
        await asyncio.wait_for(sink.kept.wait(), 5)
        await asyncio.sleep(0.2)
        assert (first.asked, second.asked) == (1, 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await channel.close()
    assert made.results == {}


async def test_an_answer_too_much_is_not_the_next_ones(pipelined: bool) -> None:
    """A 250 nobody asked for must not count for a mail that the server never took (L3)."""
    async with serving(Sink(once={"body": "250 2.0.0 queued\r\n250 2.0.0 twice"})) as sink:
        made = await stream(sink, 3)
    sent = sum(isinstance(one, Sent) for one in made.results.values())
    assert sent == len(sink.mails)
    assert not any(isinstance(one, Unknown) for one in made.results.values())


async def test_a_reply_without_end_ends_the_connection(pipelined: bool) -> None:
    """Also one of empty lines: else it grows for as long as its server likes."""
    async with serving(Sink(answers={"mail": "\r\n".join(["250-"] * 20_000)})) as sink:
        made = await stream(sink, 1, command_timeout=3)
    result = made.results["0"]
    assert isinstance(result, NotSent)
    assert "without end" in result.detail
