"""What docker-compose.yml starts, twice: its very commands. Whatever else dies is in scenarios/."""

import pytest
from ruamel.yaml import YAML

from tests.faults import audit
from tests.faults.harness import ROOT, town

PEOPLE = 300
pytestmark = pytest.mark.slow


def compose_command(service: str) -> list[str]:
    """What docker-compose.yml runs for `service`, without the program's name."""
    path = ROOT / "docker-compose.yml"
    command = YAML(typ="safe").load(path.read_text())["services"][service]["command"]
    words = command if isinstance(command, list) else command.split()
    assert words[0] == "avtale"
    return list(words[1:])


def test_two_apis_and_two_workers_of_compose_send_each_message_once() -> None:
    with town() as made:
        made.populate(PEOPLE, lanes=4)
        for port in ("18431", "18432"):
            made.start(*compose_command("api"), AVTALE_PORT=port)
        for _ in range(2):
            made.start(*compose_command("worker"))
        made.wait(lambda: made.states()["sent"] == PEOPLE, seconds=120, what="sending")
        assert audit.judge(audit.tally(made, expected=PEOPLE), in_doubt_at_most=0) == ()
        assert made.query("select count(*) from heartbeats") == [(2,)]
