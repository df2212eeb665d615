"""Guards of accounts and access, taken out one at a time by `tests.mutants`: law "access"."""

PARTS = "orchestrator/api/parts.py"
FRAME = "orchestrator/console/frame.py"
ROLES = "tests/api/test_roles.py"
PAGES = "tests/console/test_signing_in.py"
FLOWS = "tests/flows/test_accounts.py"

# Name, then: where the guard stands, the guard, what is left without it, the tests that notice.
GUARDS: dict[str, tuple[str, str, str, str]] = {
    "a rep reads what is somebody else's": (
        PARTS,
        "if not await ownership.is_own(conn, name, value, caller.user_id):",
        "if False:",
        f"{ROLES} -k strangers",
    ),
    "a rep reaches a route that names nobody": (
        PARTS,
        "if not named or caller.user_id is None:",
        "if caller.user_id is None:",
        f"{ROLES} -k about_everybody",
    ),
    "a list shows everybody's people": (
        "orchestrator/api/reading.py",
        "return [condition]",
        "return []",
        f"{ROLES} -k nobody_elses",
    ),
    "a role bounds no key": (
        "orchestrator/rules/access.py",
        "reached = [reach_of(role, action) for role in roles]",
        "reached = [Reach.ALL]",
        f"{ROLES} -k every_role",
    ),
    "a page asks for no role": (
        FRAME,
        "if reach is Reach.NONE:",
        "if False:",
        "tests/console/test_walk.py -k every_role",
    ),
    "half a session is a whole one": (
        FRAME,
        "if session is None or (access == HALF) == session.whole:",
        "if session is None:",
        "tests/console/test_walk.py -k half",
    ),
    "a form carries no token": (
        FRAME,
        'visits.require_form_token(visit, request.state.form.pop(visits.FIELD, ""))',
        "request.state.form.pop(visits.FIELD, None)",
        f"{PAGES} -k sessions_token",
    ),
    "a form comes from anywhere": (
        FRAME,
        "visits.require_same_origin(request, app.settings)",
        "pass",
        f"{PAGES} -k another_site",
    ),
    "a code is good twice": (
        "orchestrator/rules/totp.py",
        "if fits and (after is None or step > after):",
        "if fits:",
        "tests/rules/test_totp.py -k once",
    ),
    "tries are not counted": (
        "orchestrator/flows/trying.py",
        "if any(count > most for count, most in counts):",
        "if False:",
        f"{FLOWS} -k tries",
    ),
    "a link outlives another one's use": (
        "orchestrator/flows/set_password.py",
        'await access_links.void(conn, user_id=user["id"])',
        "pass",
        f"{FLOWS} -k sets_the_password_once",
    ),
    "the last admin goes": (
        "orchestrator/flows/change_user.py",
        "if admins == [user_id] and loses:",
        "if False:",
        f"{FLOWS} -k one_admin",
    ),
    "a session never ends": (
        "orchestrator/flows/find_session.py",
        'if session_over(now=now, seen_at=row["seen_at"], expires_at=row["expires_at"]):',
        "if False:",
        f"{FLOWS} -k unused_and_old",
    ),
    "another role keeps its sessions": (
        "orchestrator/flows/change_user.py",
        'if values.keys() & {"role", "disabled_at"}:',
        'if "disabled_at" in values:',
        f"{FLOWS} -k another_role",
    ),
    "a change is not in the audit log": (
        "orchestrator/db.py",
        "await acting.begin(conn, actor)",
        "pass",
        "tests/store/test_audit.py -k before_and_after",
    ),
    "a line of the audit log is changed": (
        "migrations/versions/v0006_accounts.py",
        "raise exception 'audit is append-only: % refused', tg_op",
        "return coalesce(new, old); raise exception '%', tg_op",
        "tests/store/test_audit.py -k ever_changed",
    ),
}
