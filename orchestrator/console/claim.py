"""Claiming a fresh instance by the link that its first start printed."""

from fastapi import Request, Response

from orchestrator.console import visit as visits
from orchestrator.console.enter import address_of
from orchestrator.console.frame import (
    OPEN,
    Pages,
    app_of,
    faults_of,
    form_of,
    go,
    render,
)
from orchestrator.errors import BadInput
from orchestrator.flows.claim_instance import check_claim, claim_instance
from orchestrator.flows.sign_in import sign_in

router = Pages()


@router.page("/console/claim/{token}", OPEN)
async def show_claim(request: Request, token: str) -> Response:
    """The form. Raises NotFound for a link that is no good."""
    await check_claim(app_of(request), token)
    return render(request, "claim.html", token=token, typed={}, faults={})


@router.form("/console/claim/{token}", OPEN)
async def claim(request: Request, token: str) -> Response:
    """The first admin, signed in at once."""
    app, form = app_of(request), form_of(request)
    typed = {name: form.get(name, "")[:254] for name in ("email", "name", "password")}
    typed["password"] = form.get("password", "")
    try:
        await claim_instance(app, token=token, **typed)
    except BadInput as error:
        return render(
            request,
            "claim.html",
            status=422,
            token=token,
            typed=typed | {"password": ""},
            faults=faults_of(error),
        )
    made = await sign_in(
        app,
        email=typed["email"],
        password=typed["password"],
        address=address_of(request),
        user_agent=request.headers.get("user-agent", ""),
    )
    response = go(request, "console/today")
    visits.keep(response, app.settings, made.token)
    visits.say(response, app.settings, "claimed")
    return response
