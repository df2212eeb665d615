"""Slack's Web API in the sandbox: the methods that Avtale's channel calls, over the same HTTP.

`/sandbox/slack/api/<method>`; arguments come as a query, a form or JSON, the token as a bearer or
an argument, errors as `{"ok": false, "error": ...}`, and 429 with Retry-After.
"""

import asyncio
import json
import math
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from orchestrator.sandbox.provider_faults import Fault
from orchestrator.sandbox.slack_methods import METHODS, Call
from orchestrator.sandbox.slack_server import Slack, slack_of
from orchestrator.sandbox.slack_world import Install, SlackError

router = APIRouter(prefix="/sandbox/slack/api", include_in_schema=False)

# Calls and seconds: Slack's tiers, and about one message a second in a conversation with a burst.
_TIERS = {1: (1, 60.0), 2: (20, 60.0), 3: (50, 60.0), 4: (100, 60.0)}
_POSTS = (3, 3.0)


async def _arguments(request: Request) -> dict[str, Any]:
    """Query, form and JSON, the latter over the former."""
    found: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/json":
        try:
            sent = json.loads(await request.body() or b"{}")
        except ValueError:
            raise SlackError("invalid_json") from None
        if not isinstance(sent, dict):
            raise SlackError("json_not_object")
        found |= sent
    elif request.method == "POST":
        found |= dict((await request.form()).items())
    for name in ("blocks", "metadata"):  # within a form they are JSON
        if isinstance(found.get(name), str):
            try:
                found[name] = json.loads(found[name])
            except ValueError:
                raise SlackError(f"invalid_{name}") from None
    return found


@router.api_route("/{method}", methods=["GET", "POST"])
async def call(request: Request, method: str) -> Response:
    """Any method of the Web API."""
    slack = slack_of(request)
    try:
        arguments = await _arguments(request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        install = slack.world.by_token(bearer or str(arguments.get("token", "")))
        known = METHODS.get(method)
        if known is None:
            raise SlackError("unknown_method")
        fault = slack.faults.take(method)
        if fault is not None and not fault.acts:
            return await _faulty(fault)
        wait = _limit(slack, install, method, arguments, known[0])
        if wait > 0:
            return _limited(math.ceil(wait))
        made = Call(slack.world, install, arguments, await slack.now(), [])
        answer = known[1](made)
        slack.world.save()
    except SlackError as error:
        return JSONResponse({"ok": False, "error": str(error)})
    for webhook in made.webhooks:
        slack.hooks.later(webhook)
    if fault is not None:
        return await _faulty(fault)
    return JSONResponse({"ok": True, **answer}, headers={"x-oauth-scopes": install.scopes})


async def _faulty(fault: Fault) -> Response:
    await asyncio.sleep(fault.seconds)
    if fault.error == "ratelimited":
        return _limited(fault.retry_after or 1)
    answer = {"ok": False, "error": fault.error}
    if fault.error == "missing_scope":
        answer |= {"needed": "chat:write", "provided": "users:read"}
    return JSONResponse(answer, fault.status)


def _limited(seconds: int) -> Response:
    return JSONResponse(
        {"ok": False, "error": "ratelimited"}, 429, headers={"retry-after": str(max(1, seconds))}
    )


def _limit(
    slack: Slack, install: Install, method: str, arguments: dict[str, Any], tier: int
) -> float:
    if method == "chat.postMessage":
        key, limit = f"{install.token} {arguments.get('channel')}", _POSTS
    else:
        key, limit = f"{install.token} {method}", _TIERS[tier]
    return slack.limits.wait(key, *limit)
