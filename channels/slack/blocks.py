"""From a draft to the arguments of `chat.postMessage` (Block Kit). Pure, the same bytes each time.

Slack reads `&`, `<` and `>` as markup, and would make mentions out of the rest: text is escaped,
`verbatim` switches the guessing off, and links are written out by us.
"""

import json
import re
from base64 import b32encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final, Literal

from channels.base import Account, Draft
from channels.slack.address import canonical
from channels.slack.words import words

MAX_LENGTH: Final = 4000  # characters of text that Slack recommends at most
METADATA_TYPE: Final = "avtale_message"
CHOICES: Final[dict[str, Literal["more", "later", "never"]]] = {
    "avtale_more": "more",
    "avtale_later": "later",
    "avtale_never": "never",
}
_SECTION: Final = 2900  # a section takes 3000 characters, counted after escaping
_URL = re.compile(r"https?://[^\s<>|\"]*[^\s<>|\".,;:!?)\]}'*_~`]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def freeze(account: Account, draft: Draft) -> bytes:
    """The message, or with `draft.request` the invitation; `to` says whom it was made for.

    Slack's invitations carry no note, and its messages neither a subject nor attachments: these
    parts of a draft are left out. Raises ValueError for what cannot be said.
    """
    if canonical(draft.recipient) != draft.recipient:
        raise ValueError("the recipient is not in its canonical form")
    if _CONTROL.search(draft.subject) or "\n" in draft.subject or "\r" in draft.subject:
        raise ValueError("the subject is one line")
    made: dict[str, Any] = {"to": draft.recipient}
    if draft.request:
        made["request"] = {"name": channel_name(account, draft)}
    else:
        made["post"] = _post(account, draft)
    return json.dumps(made, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def thaw(payload: bytes) -> dict[str, Any]:
    """What `freeze` made. Raises ValueError."""
    made = json.loads(payload)
    if not isinstance(made, dict) or len({"post", "request"} & made.keys()) != 1:
        raise ValueError("the frozen message is none of Slack's")
    return made


def channel_name(account: Account, draft: Draft) -> str:
    """The name of the channel that a person is invited to: ours at a glance, and the same at every
    attempt. 80 bits of the message's id, so that a name that is taken was taken by us."""
    ours = re.sub(r"[^a-z0-9]+", "-", account.display_name.lower()).strip("-")[:40]
    digest = b32encode(sha256(draft.message_id.bytes).digest()[:10]).decode().lower()
    return f"{ours or 'avtale'}-{digest}"


def escape(text: str) -> str:
    """The three characters that Slack asks to escape."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(account: Account, draft: Draft) -> dict[str, Any]:
    text = draft.text.replace("\r\n", "\n").strip("\n ")
    if not text:
        raise ValueError("the text is empty")
    if _CONTROL.search(text) or "\r" in text:
        raise ValueError("the text holds a control character")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the text has {len(text)} characters: Slack takes {MAX_LENGTH}")
    blocks = [_section(part) for part in _parts(text)]
    if not draft.automatic:
        blocks += [_buttons(draft), _footer(account, draft)]
    return {
        "text": _linked(text),
        "blocks": blocks,
        "metadata": {
            "event_type": METADATA_TYPE,
            "event_payload": {"key": str(draft.message_id)},
        },
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _linked(text: str) -> str:
    """Escaped, with web addresses as links of their own."""
    made, end = "", 0
    for found in _URL.finditer(text):
        made += escape(text[end : found.start()]) + f"<{escape(found[0])}>"
        end = found.end()
    return made + escape(text[end:])


def _parts(text: str) -> Iterator[str]:
    """The text in pieces that fit a section, parted between paragraphs, lines or words."""
    while len(_linked(text)) > _SECTION:
        cut = _longest(text)
        at = next((at for sign in ("\n\n", "\n", " ") if (at := text.rfind(sign, 1, cut)) > 0), cut)
        yield _linked(text[:at].rstrip())
        text = text[at:].lstrip("\n ")
    if text:
        yield _linked(text)


def _longest(text: str) -> int:
    """How many characters fit, whatever they grow to."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(_linked(text[:middle])) <= _SECTION else (low, middle - 1)
    return low


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _buttons(draft: Draft) -> dict[str, Any]:
    said = words(draft.language)
    labels = {"more": said.more, "later": said.later, "never": said.never}
    return {
        "type": "actions",
        "block_id": "avtale_choice",
        "elements": [
            {
                "type": "button",
                "action_id": action,
                "value": str(draft.message_id),
                "text": {"type": "plain_text", "text": labels[choice], "emoji": False},
            }
            for action, choice in CHOICES.items()
        ],
    }


def _footer(account: Account, draft: Draft) -> dict[str, Any]:
    said = words(draft.language)
    name = _CONTROL.sub("", account.display_name or account.name).replace("\n", " ")
    text = escape(said.footer.format(name=name[:200]))
    if draft.unsubscribe_url is not None and _URL.fullmatch(draft.unsubscribe_url):
        text += f" <{escape(draft.unsubscribe_url)}|{escape(said.unsubscribe)}>"
    return {"type": "context", "elements": [_mrkdwn(text)]}
