"""The bench of the contract test."""

from contextlib import AsyncExitStack
from dataclasses import replace

from channels.sms import SmsChannel
from tests.channels.bench import Bench
from tests.channels.sms.gateway import Gateway, account, serving


async def bench(stack: AsyncExitStack) -> Bench:
    """The channel beside a gateway of its own."""
    gateway = await stack.enter_async_context(serving(Gateway()))

    def break_early() -> None:
        made.account = replace(made.account, secrets={})

    made = Bench(
        SmsChannel(),
        account(gateway.port),
        lambda: len(gateway.taken),
        break_early,
        lambda: setattr(gateway, "once", "drop"),
        lambda: setattr(gateway, "once", "hang"),
        (" +47 900 00 001 ", "+4790000001"),
        "+47900001{:02d}",
    )
    return made
