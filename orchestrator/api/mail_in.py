"""`POST /hooks/mail`: raw MIME from a mail server or provider, signed, stored before the 204."""

from fastapi import APIRouter, Request, Response

from orchestrator.api.problems import responses
from orchestrator.clock import database_now, utc_now
from orchestrator.db import transaction
from orchestrator.errors import NotFound, SetupError, TooLarge, Unauthorized
from orchestrator.flows.take_event import take_event
from orchestrator.rules import standard_webhook
from orchestrator.wiring import App

router = APIRouter(tags=["mail"])

MOST = 26 * 1024 * 1024  # bytes: 25 MB of mail, and what its transfer adds
_ENVELOPE = 2000  # characters


@router.post(
    "/hooks/mail",
    status_code=204,
    operation_id="take_mail",
    responses=responses(400, 401, 404, 408, 413, 422, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
        },
        "parameters": [
            {"name": name, "in": "header", "required": needed, "schema": {"type": "string"}}
            for name, needed in (
                ("webhook-id", True),
                ("webhook-timestamp", True),
                ("webhook-signature", True),
                ("x-avtale-envelope-from", False),
                ("x-avtale-envelope-to", False),
            )
        ],
    },
)
async def take_mail(request: Request) -> Response:
    """Take one mail as it came (RFC 5322), signed by Standard Webhooks.

    204: stored, or known already by its `webhook-id`. 401: not signed by us, or not within five
    minutes. 413: more than 26 MB. `x-avtale-envelope-to` may list the envelope's recipients,
    separated by commas.
    """
    app: App = request.app.state.avtale
    key = _key(app)
    body = await _body(request)
    # The signature is of the sender's wall clock, which the sandbox's clock does not move.
    if not standard_webhook.verify(
        key,
        webhook_id=request.headers.get("webhook-id", ""),
        timestamp=request.headers.get("webhook-timestamp", ""),
        signature=request.headers.get("webhook-signature", ""),
        body=body,
        now=utc_now(),
    ):
        raise Unauthorized("The webhook signature is missing, wrong or too old.")
    detail: dict[str, object] = {
        "envelope_from": request.headers.get("x-avtale-envelope-from", "")[:_ENVELOPE],
        "envelope_to": _addresses(request.headers.get("x-avtale-envelope-to", "")),
    }
    async with transaction(app.engine) as conn:
        stored = await take_event(
            conn,
            source="mail",
            external_id=request.headers["webhook-id"],
            kind="mail",
            raw=body,
            detail=detail,
            now=await database_now(conn),
        )
    if stored is not None:
        app.ring("read")
    return Response(status_code=204)


def _key(app: App) -> bytes:
    secret = app.settings.mail_secret
    if secret is None:
        raise NotFound("This door is closed: AVTALE_MAIL_SECRET is not set.")
    try:
        return standard_webhook.key_of(secret.get_secret_value())
    except ValueError as error:
        raise SetupError(f"AVTALE_MAIL_SECRET: {error}.") from None


async def _body(request: Request) -> bytes:
    """The body, counted while it streams. Raises TooLarge."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST:
            raise TooLarge("A mail may have 26 MB at most.")
        chunks.append(chunk)
    return b"".join(chunks)


def _addresses(value: str) -> list[str]:
    return [one.strip(" <>") for one in value[:_ENVELOPE].split(",") if "@" in one]
