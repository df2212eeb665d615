"""What an answer of Slack's Web API means for a message. Pure; reference 2.2 as a table.

`passed` is whether the call came after the point of no return. Before it nothing can have been
sent. After it only a definite no is a no: "possible some aspect of the operation succeeded" is how
Slack itself describes `fatal_error` and `internal_error`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from channels.base import NotSent, Refused, Unknown

_PATIENCE = 30.0  # seconds that a lane rests where Slack names no number
_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_ACCOUNT = {
    "invalid_auth": "the token is not valid",
    "not_authed": "no token was given",
    "account_inactive": "the app's account was deactivated",
    "token_revoked": "the token was revoked, or the app uninstalled",
    "token_expired": "the token has expired",
    "missing_scope": "the app lacks a scope",
    "no_permission": "the app lacks a permission",
    "not_allowed_token_type": "this kind of token may not do that",
    "org_login_required": "the workspace is being moved to an organisation",
    "ekm_access_denied": "the workspace's administrators suspended access",
    "access_denied": "access to the workspace was denied",
    "team_access_not_granted": "the app may not act in this workspace",
    "app_missing_action_url": "the app has no interactivity URL, which buttons need",
    "not_paid": "Slack Connect needs a paid plan",
    "feature_not_enabled": "the workspace has not enabled this",
}
_NOBODY = frozenset({"user_not_found", "users_not_found", "user_disabled", "invalid_email"})
_DOUBTFUL = frozenset({"fatal_error", "internal_error", "service_unavailable"})
_LATER = frozenset({"request_timeout", "team_added_to_org", "team_being_migrated"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack said. `error` is "" where it named none."""

    status: int
    ok: bool
    error: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None  # seconds
    scopes: frozenset[str] | None = None  # that the token has, where the answer names them


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer that can be read. `connect`: nothing had been written yet."""

    kind: Literal["connect", "timeout", "dropped", "unreadable"]
    detail: str


def classify(outcome: Answer | Silence, *, passed: bool) -> NotSent | Refused | Unknown:
    """The result of a call that did not succeed."""
    if isinstance(outcome, Silence):
        return _silence(outcome, passed)
    detail = _say(outcome)
    if outcome.status == 429 or outcome.error in _LIMITED:
        wait = _PATIENCE if outcome.retry_after is None else outcome.retry_after
        return NotSent("rate_limited", detail, retry_after=wait, lane="park")
    if outcome.error in _ACCOUNT:
        return NotSent(outcome.error, detail, lane="pause")
    if outcome.status >= 500 or outcome.status == 408 or outcome.error in _DOUBTFUL:
        return Unknown(detail) if passed else NotSent("unavailable", detail, lane="park")
    if outcome.error in _NOBODY:
        return Refused("bad_address", detail, bad_address=True)
    if outcome.error in _LATER:
        return NotSent(outcome.error, detail, lane="park")
    if outcome.error:
        return Refused(outcome.error, detail)
    if outcome.status >= 300:
        # Refused by whatever stands at the address: it never came to Slack's own code.
        detail = f"{detail}: is base_url right?"
        return NotSent(f"http_{outcome.status}", detail, lane="park")
    return Unknown(detail) if passed else NotSent("unreadable", detail)


def _silence(outcome: Silence, passed: bool) -> NotSent | Unknown:
    detail = f"{outcome.kind}: {outcome.detail}"[:500]
    if outcome.kind == "connect":
        return NotSent("connect", detail, lane="park")
    if passed:
        return Unknown(detail)
    return NotSent(outcome.kind, detail, lane="park" if outcome.kind == "timeout" else "fine")


def _say(outcome: Answer) -> str:
    words = f"Slack: {outcome.error or f'HTTP {outcome.status}'}"
    if outcome.error in _ACCOUNT:
        words += f": {_ACCOUNT[outcome.error]}"
    if outcome.error == "missing_scope":
        words += f": `{_text(outcome.data.get('needed')) or 'Slack does not say which'}`"
    if outcome.status >= 400 and outcome.error:
        words += f" (HTTP {outcome.status})"
    return words[:500]


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""
