"""Where a connection gets its mails: one alone, or what a feed gives, each checked."""

from channels.base import (
    Account,
    Feed,
    Handing,
    NotSent,
    OutboundMessage,
    PassPoint,
    Refused,
    SendResult,
)
from channels.email import mime
from channels.email.address import is_canonical
from channels.email.settings import EmailSettings
from channels.email.smtp import Mail


class Alone:
    """A feed of one message, which is its own `Handing`."""

    def __init__(self, message: OutboundMessage, pass_point: PassPoint) -> None:
        self.message = message
        self._pass_point = pass_point
        self._given = False
        self.result: SendResult | None = None

    async def pass_point(self) -> bool:
        """See `PassPoint`."""
        return await self._pass_point()

    def next(self) -> Handing | None:
        """It, until it has a result."""
        given, self._given = self._given, True
        return None if given else self

    def done(self, _one: Handing, result: SendResult) -> None:
        """What came of it."""
        self.result = result

    def back(self, _one: Handing) -> None:
        """Nothing was done: once more."""
        self._given = False


class Checked:
    """The mails of a feed: who they are from, and only those to whom they say they are."""

    def __init__(self, account: Account, settings: EmailSettings, feed: Feed) -> None:
        self._account, self._settings, self._feed = account, settings, feed

    def next(self) -> Mail | None:
        """The next that may be named to a server; the others have their result."""
        while (one := self._feed.next()) is not None:
            checked = self._check(one)
            if isinstance(checked, Mail):
                return checked
            self._feed.done(one, checked)
        return None

    def _check(self, one: Handing) -> Mail | SendResult:
        message = one.message
        try:
            sender = mime.envelope_sender(self._account, self._settings, message.payload)
        except ValueError as error:
            return NotSent("settings", str(error)[:500], lane="pause")
        # The address that was suppressed, checked and shown must be the one that is mailed.
        if not is_canonical(message.recipient) or not mime.is_to(
            message.payload, message.recipient
        ):
            return Refused("address_mismatch", "the envelope and the mail name different people")
        return Mail(one, sender, message.recipient)

    def done(self, mail: Mail, result: SendResult) -> None:
        """What came of it."""
        self._feed.done(mail.one, result)

    def back(self, mail: Mail) -> None:
        """Nothing was done about it."""
        self._feed.back(mail.one)
