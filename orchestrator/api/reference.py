"""The reference of the API: /openapi.json, and /docs, one page without scripts or outside files."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from orchestrator import errors
from orchestrator.api.problems import Problem

API_VERSION = "1"

ABOUT = """
Everything that Avtale does for sales ops, as JSON. A request carries an API key
(`Authorization: Bearer avk_...`) whose scopes say what it is for and whose role (admin, ops, rep,
viewer) says how far it reaches: a rep's sees that rep's own people. Errors are problem documents
(RFC 9457). Lists are pages: send `next` back as `cursor`. A POST that creates takes an
`Idempotency-Key`, so that a request whose answer was lost may be sent again.
""".strip()

TAGS = [
    {"name": "prospects", "description": "The people, their addresses and what is known of them."},
    {"name": "sequences", "description": "Definitions and their immutable versions."},
    {"name": "enrollments", "description": "One prospect on one version of a sequence."},
    {"name": "messages", "description": "What was, is or will be sent, and what it says."},
    {"name": "engagements", "description": "What prospects did, with its grade."},
    {"name": "unlocks", "description": "The calls that a human engagement opened."},
    {"name": "bookings", "description": "The calls that prospects asked for."},
    {"name": "tasks", "description": "Work for a person."},
    {"name": "senders", "description": "Mailboxes and other accounts; secrets are write-only."},
    {"name": "hosts", "description": "Whom a prospect can have a call with, and when."},
    {"name": "suppressions", "description": "Addresses that nothing is sent to any more."},
    {"name": "mail", "description": "Where a mail server brings the answers, signed."},
    {"name": "subscriptions", "description": "Whom we tell of events by webhook, and how it went."},
    {"name": "today", "description": "What happened lately, and what waits for a person."},
    {"name": "users", "description": "Who may sign in to the console, and as what."},
    {"name": "keys", "description": "API keys: what they are for, and how far they reach."},
    {"name": "account", "description": "The user whom a key belongs to."},
    {"name": "audit", "description": "Who changed what, with before and after."},
    {"name": "events", "description": "What providers tell us, and what is about nobody."},
]

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
)
_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

router = APIRouter(include_in_schema=False)


def complete(api: FastAPI) -> None:
    """Add the problem document to the schema that FastAPI makes, once."""
    make = api.openapi

    def openapi() -> dict[str, Any]:
        made = make()
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            shape = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(shape.pop("$defs", {}))
            schemas["Problem"] = shape
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
        return made

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The reference as one page, made when somebody asks for it first."""
    state = request.app.state
    if not hasattr(state, "reference"):
        state.reference = await asyncio.to_thread(_render, request.app)
    return HTMLResponse(state.reference, headers={"Content-Security-Policy": _CSP})


def _render(api: FastAPI) -> str:
    schema = api.openapi()
    return _pages.get_template("reference.html.j2").render(
        api=schema, groups=_groups(schema), problems=_problems(), schemas=_schemas(schema)
    )


def _groups(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations by tag, in the order of TAGS."""
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(path, method, operation))
    about = {tag["name"]: tag["description"] for tag in TAGS}
    order = [*about, *(name for name in by_tag if name not in about)]
    return [
        {"name": name, "about": about.get(name, ""), "operations": by_tag[name]}
        for name in order
        if name in by_tag
    ]


def _operation(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    security = operation.get("security") or []
    scopes = [scope for way in security for needed in way.values() for scope in needed]
    content = operation.get("requestBody", {}).get("content", {})
    answer: dict[str, Any] = next(
        (r for code, r in operation["responses"].items() if code[0] == "2"), {}
    )
    body = _schema_of(content)
    return {
        "id": operation.get("operationId", ""),
        "path": path,
        "method": method.upper(),
        "summary": operation.get("summary", ""),
        "about": operation.get("description", ""),
        "scopes": scopes,
        "parameters": [{**p, "kind": kind(p["schema"])} for p in operation.get("parameters", [])],
        "body": kind(body) if body else "",
        "media": next(iter(content), ""),
        "answer": kind(_schema_of(answer.get("content", {}))),
        "problems": sorted(code for code in operation["responses"] if code[0] in "45"),
    }


def _schema_of(content: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    return next((one.get("schema") for one in content.values()), None)


def kind(schema: dict[str, Any] | None) -> str:
    """A schema in a few words: `integer`, `Prospect`, `list of Fact`, `string or null`."""
    if not schema:
        return ""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(one) or "anything" for one in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items')) or 'anything'}"
    named = str(schema.get("format") or schema.get("type") or "")
    return {"date-time": "instant", "uuid": "id"}.get(named, named)


def _schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The shapes with their fields, by name."""
    found = []
    for name, shape in sorted(schema.get("components", {}).get("schemas", {}).items()):
        required = set(shape.get("required", []))
        fields = [
            {
                "name": field,
                "kind": kind(value),
                "required": field in required,
                "about": value.get("description", ""),
            }
            for field, value in shape.get("properties", {}).items()
        ]
        found.append({"name": name, "about": shape.get("description", ""), "fields": fields})
    return found


def _problems() -> list[dict[str, str]]:
    """Every kind of problem that `errors` knows."""
    found = []
    queue: list[type[errors.AvtaleError]] = [errors.AvtaleError]
    while queue:
        kind_ = queue.pop(0)
        queue.extend(kind_.__subclasses__())
        first = (kind_.__doc__ or "").strip().splitlines()[0]
        found.append({"slug": kind_.slug, "status": str(kind_.status_code), "about": first})
    unique = {one["slug"]: one for one in reversed(found)}
    return sorted(unique.values(), key=lambda one: (one["status"], one["slug"]))
