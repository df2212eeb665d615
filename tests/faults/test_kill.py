"""L2 and L3 on real processes: kill -9 while messages leave, Redis gone, several of everything."""

import signal
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.faults.harness import Town, town

CONNECTIONS = 10
pytestmark = pytest.mark.slow


def assert_once_each(made: Town, people: int, *, doubts_at_most: int) -> None:
    """The queue categories: lost 0, duplicated 0, unexpected 0, in doubt bounded."""
    taken = made.handed_over()
    rows = made.query("select rfc_message_id, state from messages")
    states = dict(rows)
    assert len(rows) == people
    duplicated = [one for one, count in taken.items() if count > 1]
    unexpected = [one for one in taken if one not in states]
    assert duplicated == [], "duplicated"
    assert unexpected == [], "unexpected"
    lost = [one for one, state in states.items() if state == "sent" and one not in taken]
    assert lost == [], "lost: said to be sent, never handed over"
    doubts = [one for one, state in states.items() if state == "in_doubt"]
    assert len(doubts) <= doubts_at_most
    assert set(states.values()) <= {"sent", "in_doubt"}
    print(
        f"\n{people} messages: lost {len(lost)}, duplicated {len(duplicated)},"
        f" unexpected {len(unexpected)},"
        f" in doubt {len(doubts)} (at most {doubts_at_most})"
    )


def settled(made: Town, people: int) -> bool:
    states = made.states()
    return states["sent"] + states["in_doubt"] == people


def test_killed_workers_lose_nothing_and_repeat_nothing() -> None:
    """Must show 6: kill -9 while 1,000 messages are leaving, then a restart."""
    people, kills = 1000, 3
    with town(AVTALE_SEND_CONNECTIONS=str(CONNECTIONS)) as made:
        made.populate(people)
        for kill in range(kills):
            worker = made.start("worker")
            goal = (kill + 1) * people // (kills + 1)
            made.wait(
                lambda goal=goal: sum(made.handed_over().values()) >= goal,
                seconds=60,
                what=f"reaching {goal}",
            )
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        made.start("worker")
        made.wait(lambda: settled(made, people), seconds=90, what="settling")
        assert_once_each(made, people, doubts_at_most=kills * CONNECTIONS)


def test_messages_leave_without_redis() -> None:
    """Must show 6: Redis is killed before the first message, and never comes back."""
    people = 150
    with town() as made:
        made.populate(people)
        made.servers.stop_redis(kill=True)
        made.start("worker")
        made.wait(lambda: settled(made, people), seconds=60, what="sending without Redis")
        assert_once_each(made, people, doubts_at_most=0)


def test_a_worker_that_is_asked_to_stop_leaves_nothing_in_doubt() -> None:
    people = 400
    with town() as made:
        made.populate(people)
        for goal in (100, 200):
            worker = made.start("worker")
            made.wait(
                lambda goal=goal: sum(made.handed_over().values()) >= goal,
                seconds=60,
                what=f"reaching {goal}",
            )
            worker.terminate()
            assert worker.wait(30) == 0
        made.start("worker")
        made.wait(lambda: settled(made, people), seconds=60, what="settling")
        assert_once_each(made, people, doubts_at_most=0)


def compose_command(service: str) -> list[str]:
    """What docker-compose.yml runs for `service`, without the program's name."""
    path = Path(__file__).parents[2] / "docker-compose.yml"
    command = YAML(typ="safe").load(path.read_text())["services"][service]["command"]
    words = command if isinstance(command, list) else command.split()
    assert words[0] == "avtale"
    return list(words[1:])


def test_two_apis_and_two_workers_send_each_message_once() -> None:
    """Must show 7, with the commands of docker-compose.yml."""
    people = 2000
    with town() as made:
        made.populate(people)
        for port in ("18431", "18432"):
            made.start(*compose_command("api"), AVTALE_PORT=port)
        for _ in range(2):
            made.start(*compose_command("worker"))
        made.wait(lambda: settled(made, people), seconds=120, what="sending 2,000")
        assert_once_each(made, people, doubts_at_most=0)
        owners = made.query("select count(*) from heartbeats")
        assert owners == [(2,)]
