"""Small forms from the whole world: the body is capped before anything reads it."""

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import Message

from orchestrator.errors import BadInput, TooLarge

LIMIT = 16 * 1024


async def read_body(request: Request) -> bytes:
    """The body, at most LIMIT bytes. Raises TooLarge as soon as there are more."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > LIMIT:
        raise TooLarge("The form is larger than 16 KiB.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise TooLarge("The form is larger than 16 KiB.")
    return bytes(body)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded or multipart form without files; the last of a name wins.

    Raises TooLarge, and BadInput for what is no form.
    """
    body = await read_body(request)

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        form = await Request(request.scope, replay).form(max_files=0, max_fields=20)
    except (HTTPException, ValueError) as error:
        raise BadInput("This is no form that we know.") from error
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
