"""What the planner decides for one due enrollment: a message, a task, a wait or the end.

Values in, values out: `flows/plan.py` reads and writes them.
"""

from datetime import datetime

from orchestrator.flows.planning import House, Plan, Standing, hold, move
from orchestrator.flows.writing import write
from orchestrator.rules import progress
from orchestrator.rules.program import CallStep, Duration
from orchestrator.rules.window import add_duration


def decide(house: House, at: Standing, now: datetime, work: Plan) -> None:
    """Add to `work` what happens to `at`. A fault in one enrollment is a task about that one."""
    try:
        _decide(house, at, now, work)
    except Exception as error:  # noqa: BLE001 - one person's odd data must not stop all the others
        title = f"The planner could not decide: {type(error).__name__}: {error}"[:200]
        hold(work, at, at.row["step"], "manual", title, {"error": type(error).__name__}, now)


def _decide(house: House, at: Standing, now: datetime, work: Plan) -> None:
    def add(duration: Duration, start: datetime) -> datetime:
        return add_duration(duration, start, at.zones, at.person.country)

    found = progress.walk(
        at.program,
        at.row["step"],
        just_arrived=at.row["due_at"] <= at.row["entered_step_at"],
        seen=at.seen,
        now=now,
        add=add,
    )
    match found:
        case progress.Wait(step=step, until=until):
            move(work, at, "active", step, now, due=until)
            work.tell("enrollment.waits", at, step=step, until=until.isoformat())
        case progress.Finish(step=step):
            move(work, at, "finished", step, now, reason="completed")
            work.tell("enrollment.finished", at, step=step, reason="completed")
        case progress.OpenTask(step=step):
            hold(work, at, step.id, "manual", step.title, {"text": step.text}, now)
        case progress.SendMessage(step=step):
            write(house, work, at, step, now)
        case progress.OfferCall(step=step):
            _offer(house, work, at, step, now)


def _offer(house: House, work: Plan, at: Standing, step: CallStep, now: datetime) -> None:
    if at.unlock is None:
        # The publisher proves that nobody gets here without an answer; a database edited by hand
        # could bring it about, and then a person has to look (L1).
        title = "This person reached the call step without an unlock"
        hold(work, at, step.id, "manual", title, {"reason": "no_unlock"}, now)
    elif at.unlock["booked"]:
        move(work, at, "finished", step.id, now, reason="booked")
        work.tell("enrollment.finished", at, step=step.id, reason="booked")
    elif at.unlock["replayed"]:
        title = "The call may have been offered before the backup was restored"
        hold(work, at, step.id, "late", title, {"reason": "restored"}, now)
    else:
        write(house, work, at, step, now)
