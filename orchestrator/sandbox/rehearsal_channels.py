"""The stages of `avtale demo --auto` beyond email: Slack, Slack Connect, a network, and by hand.

The people press, answer and accept on the sandbox's pages; what they see is read from the files
that the sandbox's providers keep.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.sandbox import world
from orchestrator.sandbox.linkedin_world import Chat, Invitation, Line, Network
from orchestrator.sandbox.slack_world import Conversation, Invite, Message, SlackWorld
from orchestrator.sandbox.stage import Stagehand, require

HERE, ELSEWHERE = "hanne@moenlien.example", "oskar@berglundsiffror.example"
MEMBER, BY_HAND = "alice-whitmore", "rupert-hale"

Outcome = tuple[Any, str]
Stage = tuple[str, Callable[[], Awaitable[Outcome]]]


@dataclass
class ChannelStages:
    """The stages, in order, on the installation that `hand` looks at."""

    hand: Stagehand

    def stages(self) -> list[Stage]:
        """Names and stages."""
        return [
            ("slack", self.slack),
            ("slack_connect", self.slack_connect),
            ("network", self.network),
            ("manual", self.manual),
        ]

    async def slack(self) -> Outcome:
        """A direct message with buttons; one press earns the offer, which comes the same way."""
        await world.enroll_others(self.hand.http)
        talk, first = await self.hand.advance(lambda: self._written(HERE, 1), "the Slack message")
        person = await self._person(HERE)
        require("Moen & Lien" in _plain(first), "the message does not name the company")
        buttons = [each for block in first.blocks for each in block.get("elements", [])
                   if each.get("type") == "button"]  # fmt: skip
        require(len(buttons) == 3, f"three buttons, not {len(buttons)}")
        await self._no_unlock(person)
        press = f"slack/conversations/{talk.id}/messages/{first.ts}/press"
        await self._do(press, action=buttons[0]["action_id"])
        await self._unlocked(person)
        _, offer = await self.hand.advance(lambda: self._written(HERE, 2), "the offer on Slack")
        await self._page_is_open(_plain(offer))
        return 1, f"“{buttons[0]['text']['text']}” pressed by {HERE}; the offer came on Slack"

    async def slack_connect(self) -> Outcome:
        """Somebody elsewhere: the acceptance is the permission, and the message waits for it."""
        invite = await self.hand.advance(self._invited, "the Slack Connect invitation")
        require(await self._written(ELSEWHERE, 1) is None, "written to before the acceptance")
        await self._do(f"slack/invites/{invite.id}/accept")
        talk, _ = await self.hand.advance(lambda: self._written(ELSEWHERE, 1), "the message")
        require(talk.id == invite.channel, "the message came elsewhere")
        await self._no_unlock(await self._person(ELSEWHERE))
        await self._do(f"slack/conversations/{talk.id}/messages", text="Sluta skriva till mig.")
        await self.hand.until(lambda: self._opted_out(ELSEWHERE), "the stop")
        return 1, f"accepted, then written to, then stopped by {ELSEWHERE}"

    async def network(self) -> Outcome:
        """An invitation with a note, accepted; a message, seen, answered; webhooks come twice."""
        await self._do_json("network/control/webhooks", copies=2)
        asked = await self.hand.advance(self._asked, "the invitation on the network")
        require("Whitmore Accounts" in asked.note, f"the note says “{asked.note}”")
        require(await self._line(1) is None, "written to before the acceptance")
        await self._do(f"network/invitations/{asked.id}/accept")
        chat, _ = await self.hand.advance(lambda: self._line(1), "the message on the network")
        person = await self._person(MEMBER)
        await self._do(f"network/chats/{chat.id}/read")
        await self._no_unlock(person)
        await self._do(f"network/chats/{chat.id}/messages", text="Yes, tell me more.")
        await self._unlocked(person)
        _, offer = await self.hand.advance(lambda: self._line(2), "the offer on the network")
        await self._page_is_open(offer.text)
        return 1, f"accepted, seen and answered by {MEMBER}; the offer came in the chat"

    async def manual(self) -> Outcome:
        """No machine writes for Jonas: he gets a task with the text, and the sequence goes on."""
        person = await self._person(BY_HAND)
        first = await self.hand.advance(lambda: self._task(person, "hello"), "the manual task")
        detail = first["detail"]
        require("Hale Bookkeeping" in detail["text"], "the task has no text to copy")
        require(BY_HAND in detail["profile"], "the task has no link to the profile")
        await self.hand.avtale("tasks", "done", first["id"], "--outcome", "done")
        again = await self.hand.advance(
            lambda: self._task(person, "one-more-thought"), "the second manual task"
        )
        require(again["id"] != first["id"], "the sequence did not go on")
        return 1, f"written by hand to {BY_HAND}; done, and the next step follows in its time"

    # --- what the people see

    def _slack_world(self) -> SlackWorld:
        return SlackWorld(self.hand.settings.data_dir / "sandbox" / "slack.json")

    def _network_world(self) -> Network:
        return Network(self.hand.settings.data_dir / "sandbox" / "network.json")

    async def _written(self, email: str, count: int) -> tuple[Conversation, Message] | None:
        """The newest message to somebody, once there are `count`."""
        state = self._slack_world().state
        for talk in state.conversations.values():
            if any(state.people[each].email == email for each in talk.people):
                ours = [each for each in talk.messages if each.bot_id]
                require(len(ours) <= count, f"{email} was written to {len(ours)} times")
                return (talk, ours[-1]) if len(ours) == count else None
        return None

    async def _invited(self) -> Invite | None:
        invites = [
            each for each in self._slack_world().state.invites.values() if each.email == ELSEWHERE
        ]
        require(len(invites) <= 1, "invited twice")
        return invites[0] if invites else None

    async def _asked(self) -> Invitation | None:
        found = list(self._network_world().state.invitations.values())
        require(len(found) <= 1, "invited twice")
        return found[0] if found else None

    async def _line(self, count: int) -> tuple[Chat, Line] | None:
        """The newest message to the member beyond the invitation's own note."""
        state = self._network_world().state
        notes = {each.note for each in state.invitations.values()}
        for chat in state.chats.values():
            ours = [each for each in chat.lines
                    if each.sender_id != chat.member and each.text not in notes]  # fmt: skip
            require(len(ours) <= count, f"the member was written to {len(ours)} times")
            return (chat, ours[-1]) if len(ours) == count else None
        return None

    # --- what Avtale says

    async def _person(self, address: str) -> str:
        found = await self.hand.rows("/api/prospects", address=address)
        require(found, f"{address} is nobody")
        return str(found[0]["id"])

    async def _no_unlock(self, person: str) -> None:
        unlocks = await self.hand.rows("/api/unlocks", prospect_id=person)
        require(not unlocks, "unlocked before an answer")

    async def _unlocked(self, person: str) -> None:
        async def look() -> bool | None:
            unlocks = await self.hand.rows("/api/unlocks", prospect_id=person)
            require(len(unlocks) <= 1, "unlocked twice")
            return bool(unlocks) or None

        await self.hand.until(look, "the unlock")

    async def _opted_out(self, address: str) -> bool | None:
        found = await self.hand.rows("/api/prospects", address=address)
        return bool(found and found[0]["opted_out_at"]) or None

    async def _task(self, person: str, step: str) -> dict[str, Any] | None:
        found = await self.hand.rows("/api/tasks", state="open", prospect_id=person)
        fitting = [each for each in found if (each["kind"], each["step"]) == ("manual", step)]
        return fitting[0] if fitting else None

    async def _page_is_open(self, text: str) -> None:
        page = next((word.strip("<>()|") for word in text.split() if "/p/" in word), None)
        require(page, "the offer does not carry the page")
        answer = await self.hand.http.get(f"{page}/times")
        require(answer.status_code == 200, f"the times page answers {answer.status_code}")

    # --- what the people do

    async def _do(self, path: str, **fields: str) -> None:
        answer = await self.hand.http.post(f"/sandbox/{path}", data=fields)
        require(answer.status_code == 303, f"{path} answered {answer.status_code}")

    async def _do_json(self, path: str, **fields: Any) -> None:
        answer = await self.hand.http.post(f"/sandbox/{path}", json=fields)
        require(answer.status_code == 200, f"{path} answered {answer.status_code}")


def _plain(message: Message) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        message.text = message.text.replace(entity, character)
    return message.text
