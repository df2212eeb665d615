"""A forgotten password, and a first one: both are set by a link that is good once."""

import structlog
from fastapi import Request, Response
from starlette.background import BackgroundTask

from orchestrator.access_address import address_of as link_to
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
    visit_of,
)
from orchestrator.console.words import words_for
from orchestrator.errors import AvtaleError, BadInput
from orchestrator.flows.ask_reset import ResetLink, ask_reset
from orchestrator.flows.send_notice import send_notice
from orchestrator.flows.set_password import set_password, whose_link
from orchestrator.wiring import App

router = Pages()
log = structlog.get_logger()


@router.page("/console/forgot", OPEN)
async def show_forgot(request: Request) -> Response:
    """Ask for the address."""
    return render(request, "forgot.html", asked=False)


@router.form("/console/forgot", OPEN)
async def forgot(request: Request) -> Response:
    """The same answer whether there is such an account or not; the mail leaves afterwards."""
    app = app_of(request)
    email = form_of(request).get("email", "")
    found = await ask_reset(app, email=email, address=address_of(request))
    response = render(request, "forgot.html", asked=True)
    if found is not None:
        accept = request.headers.get("accept-language")
        response.background = BackgroundTask(_mail, app, found, accept)
    return response


async def _mail(app: App, link: ResetLink, accept: str | None) -> None:
    words = words_for(link.language, accept)
    try:
        await send_notice(
            app,
            to=link.email,
            name=link.name,
            subject=words("mail.reset_subject"),
            text=words(
                "mail.reset", name=link.name, link=link_to(app.settings, "password", link.token)
            ),
            language=words.language,
        )
    except (AvtaleError, OSError, ValueError) as error:
        log.warning("notice.failed", error=type(error).__name__)


@router.page("/console/password/{token}", OPEN)
async def show_password(request: Request, token: str) -> Response:
    """The form. Raises NotFound for a link that is no good."""
    user = await whose_link(app_of(request), token)
    return render(request, "password.html", token=token, user=user, faults={})


@router.form("/console/password/{token}", OPEN)
async def send_password(request: Request, token: str) -> Response:
    """Set it; nobody is signed in by a link."""
    app = app_of(request)
    user = await whose_link(app, token)
    try:
        await set_password(app, token=token, password=form_of(request).get("password", ""))
    except BadInput as error:
        faults = faults_of(error)
        return render(request, "password.html", status=422, token=token, user=user, faults=faults)
    response = go(request, "console/sign-in")
    if visit_of(request).token:
        visits.forget(response, app.settings)
    visits.say(response, app.settings, "password_set")
    return response
