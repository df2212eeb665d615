"""SendGrid sends events in batches, again and in any order: they are the same events each time."""

import json
import random

from channels.base import InboundRequest
from orchestrator.api.hook_rows import rows_of
from orchestrator.store.arrivals import Arrival
from tests.channels.sources.signing import BY_NAME, account
from tests.channels.sources.test_sources import FIXTURES

PERMUTATIONS = 1000


def test_a_thousand_orders_and_batchings_are_one_inbox() -> None:
    cases = json.loads((FIXTURES / "sendgrid.json").read_text())
    parts = [part for case in cases for part in case["payload"]] * 5
    source, sender = BY_NAME["sendgrid"], account("sendgrid")
    dice = random.Random(7)
    wanted: dict[str, Arrival] | None = None
    for _ in range(PERMUTATIONS):
        dice.shuffle(parts)
        inbox: dict[str, Arrival] = {}
        at = 0
        while at < len(parts):
            batch = parts[at : at + dice.randint(1, 60)]
            at += len(batch)
            body = json.dumps(batch).encode()
            events = source.parse(InboundRequest({}, body), sender)
            for row in rows_of(source, sender, events, body):
                # The inbox keeps the first; whichever that is, it says the same.
                assert inbox.setdefault(row.external_id, row) == row
        wanted = wanted or inbox
        assert inbox == wanted
    assert wanted is not None
    assert len(wanted) == len(parts) // 5
