"""Turning the second factor on and off."""

import io

from fastapi import Request, Response
from markupsafe import Markup

from orchestrator.console import visit as visits
from orchestrator.console.frame import (
    Pages,
    app_of,
    faults_of,
    form_of,
    go,
    render,
    session_of,
)
from orchestrator.db import transaction
from orchestrator.errors import BadInput, Conflict, TooManyTries
from orchestrator.flows.confirm_totp import confirm_totp
from orchestrator.flows.offer_totp import offer_totp
from orchestrator.flows.prove_password import prove_password
from orchestrator.flows.remove_totp import remove_totp
from orchestrator.rules import totp

router = Pages()


@router.page("/console/account/second-factor", "account:read")
async def show_second_factor(request: Request) -> Response:
    """The secret on offer, as a picture and in letters."""
    return await _offer(request)


@router.form("/console/account/second-factor", "account:write")
async def turn_on_second_factor(request: Request) -> Response:
    """Recovery codes, shown this once, or the form again."""
    app, session = app_of(request), session_of(request)
    code = form_of(request).get("code", "")
    try:
        made = await confirm_totp(app, user_id=session.user_id, session_id=session.id, code=code)
    except BadInput as error:
        return await _offer(request, status=422, faults=faults_of(error))
    except TooManyTries:
        return await _offer(request, status=429, faults={"code": "tries"})
    # The next request comes with another token; until then the page has no form to send.
    response = render(request, "recovery_codes.html", codes=made.codes)
    visits.keep(response, app.settings, made.token)
    return response


@router.form("/console/account/second-factor/remove", "account:write")
async def turn_off_second_factor(request: Request) -> Response:
    """With the password; else a stolen session could."""
    app, session = app_of(request), session_of(request)
    password = form_of(request).get("current", "")
    try:
        await prove_password(app, user_id=session.user_id, password=password)
    except (BadInput, TooManyTries) as error:
        tries = isinstance(error, TooManyTries)
        response = go(request, "console/account")
        visits.say(response, app.settings, "wrong_tries" if tries else "wrong_password")
        return response
    async with transaction(app.engine) as conn:
        await remove_totp(conn, user_id=session.user_id)
    response = go(request, "console/account")
    visits.say(response, app.settings, "factor_off")
    return response


async def _offer(
    request: Request, *, status: int = 200, faults: dict[str, str] | None = None
) -> Response:
    app, session = app_of(request), session_of(request)
    try:
        secret = await offer_totp(app, session.user_id)
    except Conflict:
        return go(request, "console/account")
    issuer = app.settings.organisation or "Avtale"
    address = totp.address(secret, account=session.email, issuer=issuer)
    return render(
        request,
        "second_factor.html",
        status=status,
        picture=_picture(address),
        secret=totp.spelled(secret),
        faults=faults or {},
    )


def _picture(address: str) -> Markup:
    """A QR code as SVG, dark on light in every theme: not every telephone reads it inverted."""
    import segno  # few pages need it

    out = io.BytesIO()
    segno.make(address, micro=False, error="m").save(
        out, kind="svg", border=4, xmldecl=False, svgns=False, omitsize=True, light="#fff"
    )
    return Markup(out.getvalue().decode())  # noqa: S704 - made by segno of colours and numbers
