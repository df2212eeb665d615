"""Slack's messages as HTML: mrkdwn and the few kinds of Block Kit that Avtale sends."""

import re
from typing import Any

from markupsafe import Markup, escape

# Slack's own escapes and links: `<https://there|words>`, `<https://there>`, `<@U0123>`.
_LINK = re.compile(r"<(https?://[^|>\s]+)(?:\|([^>]*))?>|<[@#!]([^>|]*)(?:\|([^>]*))?>")
_BOLD = re.compile(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def _plain(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _words(text: str) -> Markup:
    """Bold and nothing else; `text` is as Slack escapes it."""
    made, end = Markup(""), 0
    for found in _BOLD.finditer(text):
        made += escape(_plain(text[end : found.start()]))
        made += Markup("<b>{}</b>").format(_plain(found[1]))
        end = found.end()
    return made + escape(_plain(text[end:]))


def mrkdwn(text: str) -> Markup:
    """Slack's markup as HTML. Only http and https become links."""
    made, end = Markup(""), 0
    for found in _LINK.finditer(text):
        made += _words(text[end : found.start()])
        if found[1]:
            address = _plain(found[1])
            made += Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(
                address, _plain(found[2] or found[1])
            )
        else:
            made += escape(f"@{_plain(found[4] or found[3])}")
        end = found.end()
    return made + _words(text[end:])


def _text(value: Any) -> Markup:
    if not isinstance(value, dict):
        return Markup("")
    words = str(value.get("text", ""))
    return mrkdwn(words) if value.get("type") == "mrkdwn" else escape(words)


def shown(blocks: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """What a page draws: `kind` text, header, small, line or buttons. Without blocks, the text."""
    made: list[dict[str, Any]] = []
    for block in blocks:
        kind = block.get("type")
        if kind in ("section", "header"):
            made.append({"kind": "text" if kind == "section" else "header",
                         "html": _text(block.get("text"))})  # fmt: skip
        elif kind == "context":
            parts = [_text(each) for each in block.get("elements", [])]
            made.append({"kind": "small", "html": Markup(" ").join(parts)})
        elif kind == "divider":
            made.append({"kind": "line"})
        elif kind == "actions":
            made.append({"kind": "buttons", "buttons": _buttons(block)})
    return made or [{"kind": "text", "html": mrkdwn(text)}]


def _buttons(block: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "id": str(each.get("action_id", "")),
            "words": str(each.get("text", {}).get("text", "")),
            "url": str(each.get("url", "")) if str(each.get("url", "")).startswith("http") else "",
            "style": str(each.get("style", "")),
        }
        for each in block.get("elements", [])
        if each.get("type") == "button"
    ]


def button(blocks: list[dict[str, Any]], action_id: str) -> dict[str, Any] | None:
    """The button as a press of it carries it, None when the message has none such."""
    for block in blocks:
        for each in block.get("elements", []) if block.get("type") == "actions" else []:
            if each.get("action_id") == action_id:
                return {
                    "type": "button",
                    "action_id": action_id,
                    "block_id": block.get("block_id", "b1"),
                    "text": each.get("text"),
                    "value": each.get("value", ""),
                }
    return None
