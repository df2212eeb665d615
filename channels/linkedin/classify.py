"""What an answer of the provider means for a message. Pure; reference 2.2, the HTTP row, as code.

An answer of the 4xx range is a definite no: nothing left. One of the 5xx range, or none at all
after the request was written, says nothing about what the network got (L2).
"""

from enum import StrEnum

from channels.base import NotSent, Refused, SendResult, Sent, Unknown
from channels.linkedin.api import Answer, Silence
from channels.linkedin.shapes import part, text, word

_DAY = 86400.0


class Doing(StrEnum):
    """What was asked of the provider."""

    LOOKUP = "lookup"  # who an address is; before the point of no return
    REQUEST = "request"
    MESSAGE = "message"  # to a person
    CHAT = "chat"  # into a conversation that is there


def classify(doing: Doing, found: Answer | Silence) -> SendResult | None:
    """The result of a step; None for a lookup that went well."""
    if isinstance(found, Silence):
        detail = f"{doing}: {found.detail}"
        if found.written and doing is not Doing.LOOKUP:
            return Unknown(detail)
        return NotSent("lookup" if found.written else "connect", detail, lane="park")
    if 200 <= found.status < 300:
        return None if doing is Doing.LOOKUP else _sent(doing, found)
    if 400 <= found.status < 500:
        return _no(doing, found)
    detail = _say(doing, found)
    if doing is Doing.LOOKUP:
        moved = found.status < 400
        return NotSent("provider", detail, found.retry_after, lane="pause" if moved else "park")
    return Unknown(detail)


def problem(found: Answer) -> str:
    """What the provider calls the error, lower case: `errors/already_connected`."""
    body = found.body or {}
    inner = part(body, "error")
    name = word(body, "type", "code", "error") or word(inner, "type", "code")
    return (name or "").lower()[:100]


def _say(doing: Doing, found: Answer) -> str:
    """No word of the provider's prose: it may name the person."""
    return f"{doing}: {found.status} {problem(found)}".rstrip()


def _sent(doing: Doing, found: Answer) -> Sent:
    body = found.body or {}
    inner = part(body, "data", "message", "request")
    if doing is Doing.REQUEST:
        return Sent(request_ref=_request_ref(body) or _request_ref(inner))
    return Sent(
        provider_ref=word(body, "message_id", "id") or word(inner, "message_id", "id"),
        thread_ref=word(body, "chat_id") or word(inner, "chat_id"),
    )


def _request_ref(body: object) -> str | None:
    return word(body, "request_id", "invitation_id", "relation_request_id", "id")


def _no(doing: Doing, found: Answer) -> SendResult:
    detail, name = _say(doing, found), problem(found)
    if found.status in (401, 403):
        return NotSent("auth", detail, lane="pause")
    if found.status in (408, 425, 429):
        return NotSent("rate_limited", detail, found.retry_after, lane="park")
    if found.body is None:
        # Not the API at all: a proxy's page, or a wrong base_url. It says nothing of the person.
        return NotSent("not_the_api", detail, lane="pause")
    if found.status == 404 and _is_the_account(found):
        return NotSent("no_such_account", detail, lane="pause")
    if doing is Doing.REQUEST and (known := _known_already(name, detail)) is not None:
        return known
    if "cannot_resend" in name:
        return NotSent("cannot_resend_yet", detail, found.retry_after or _DAY)
    if "limit" in name or "quota" in name or "insufficient_credit" in name:
        if doing is Doing.REQUEST:  # a limit of invitations, or of notes: messages may go on
            return NotSent("rate_limited", detail, found.retry_after or _DAY)
        return NotSent("rate_limited", detail, found.retry_after, lane="park")
    return _refused(doing, found, name, detail)


def _is_the_account(found: Answer) -> bool:
    said = f"{problem(found)} {text(found.body, 'title')} {text(found.body, 'detail', 'message')}"
    return "account" in said.lower()


def _known_already(name: str, detail: str) -> Sent | None:
    """An invitation that is not needed, or that is out: the person is where it would take them."""
    if "already_connected" in name or "already_relation" in name or "already_friend" in name:
        return Sent(detail=detail, connected=True)
    if "already_invited" in name or "already_sent" in name or "pending" in name:
        return Sent(detail=detail)
    return None


def _refused(doing: Doing, found: Answer, name: str, detail: str) -> Refused:
    if "invalid_recipient" in name or "recipient_not_found" in name:
        return Refused("bad_address", detail, bad_address=True)
    if found.status in (404, 410):
        if doing is Doing.CHAT:  # the conversation, not the person
            return Refused("no_such_chat", detail)
        return Refused("bad_address", detail, bad_address=True)
    if "no_connection" in name or "not_connected" in name:
        return Refused("not_connected", detail)
    if "blocked" in name or "unreachable" in name or "cannot_invite" in name:
        return Refused("unreachable", detail)
    return Refused("refused", detail)
