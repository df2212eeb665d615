"""L3 on the way out: workers are killed while webhooks are delivered; every event arrives."""

import json
import signal
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook

from orchestrator.db import transaction
from orchestrator.flows.create_subscription import new_secret
from orchestrator.ids import uuid7
from orchestrator.keys import Keys
from orchestrator.store import subscriptions
from tests import make
from tests.faults.harness import SECRET, town

PEOPLE, KILLS = 150, 2
KINDS = ["message.planned", "message.sent"]
pytestmark = pytest.mark.slow


class Consumer(ThreadingHTTPServer):
    """Verifies with the reference library; refuses every fifth event at first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.secret = new_secret()
        self.lock = threading.Lock()
        self.taken: dict[str, set[str]] = defaultdict(set)  # id of the event -> webhook-ids
        self.deliveries = 0
        self.bodies: dict[str, set[bytes]] = defaultdict(set)

    def handle_error(self, *_: object) -> None:
        """A killed worker resets its connections."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Consumer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        event = Webhook(self.server.secret).verify(body, dict(self.headers.items()))
        with self.server.lock:
            busy = int(event["id"]) % 5 == 0 and event["id"] not in self.server.bodies
            self.server.bodies[event["id"]].add(body)
            if not busy:
                self.server.deliveries += 1
                self.server.taken[event["id"]].add(self.headers["webhook-id"])
        self.send_response(503 if busy else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_killed_workers_lose_no_event() -> None:
    consumer = Consumer()
    serving = threading.Thread(target=consumer.serve_forever, daemon=True)
    serving.start()

    async def subscribe(engine: AsyncEngine) -> None:
        sealed = Keys(SECRET.encode()).seal({"current": consumer.secret, "previous": None})
        async with transaction(engine) as conn:
            values = {
                "id": uuid7(), "url": f"http://127.0.0.1:{consumer.server_port}/", "kinds": KINDS,
                "secrets": sealed, "after_history": 0, "created_at": make.NOW,
            }  # fmt: skip
            await subscriptions.add(conn, values)

    try:
        with town(AVTALE_EGRESS_ALLOW="127.0.0.1") as made:
            made.populate(PEOPLE)
            made.with_engine(subscribe)
            for kill in range(KILLS):
                workers = [made.start("worker") for _ in range(2)]
                goal = (kill + 1) * PEOPLE * len(KINDS) // (KILLS + 2)
                made.wait(
                    lambda goal=goal: len(consumer.taken) >= goal, seconds=60, what=f"event {goal}"
                )
                for worker in workers:
                    worker.send_signal(signal.SIGKILL)
                    worker.wait()
            made.start("worker")

            def all_arrived() -> bool:
                kept = made.query("select count(*) from deliveries where state = 'delivered'")
                return bool(made.states()["sent"] + made.states()["in_doubt"] == PEOPLE) and (
                    kept[0][0] == len(history())
                )

            def history() -> set[str]:
                told = made.query("select id from history where kind = any(:kinds)", kinds=KINDS)
                return {str(row[0]) for row in told}

            made.wait(all_arrived, seconds=120, what="delivering everything")
            assert set(consumer.taken) == history()
    finally:
        consumer.shutdown()
        consumer.server_close()
    assert {len(ids) for ids in consumer.taken.values()} == {1}, "a retry came under another id"
    assert {len(bodies) for bodies in consumer.bodies.values()} == {1}, "a retry had other bytes"
    report = {"events": len(consumer.taken), "twice": consumer.deliveries - len(consumer.taken)}
    print(json.dumps(report))
