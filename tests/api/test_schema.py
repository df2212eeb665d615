"""The whole OpenAPI, tried by schemathesis against a real server: no 5xx, nothing undocumented."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orchestrator.db import transaction
from orchestrator.flows.create_key import create_key
from tests.faults.harness import Town, town
from tests.system.mailservers import free_port

pytestmark = pytest.mark.slow
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)
# A mail is `message/rfc822`, which schemathesis cannot make; tests/api/test_mail_in.py does.
LEFT_OUT = "/hooks/mail"


@pytest.fixture
def place() -> Iterator[tuple[Town, str, str]]:
    """A town with an API, its address, and a key that may do everything."""
    with town() as made:
        made.populate(5)

        async def key(engine: AsyncEngine) -> str:
            async with transaction(engine) as conn:
                return (await create_key(conn, name="schema", scopes=("*",), role="admin")).secret

        secret = made.with_engine(key)
        port = free_port()
        made.start("api", AVTALE_PORT=str(port))
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{address}/healthz").close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the API did not start"
                time.sleep(0.1)
        yield made, address, secret


def test_no_route_answers_what_it_does_not_document(
    place: tuple[Town, str, str], tmp_path: Path
) -> None:
    """Must show 8 of issue 3."""
    _, address, secret = place
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "run"),
            *(f"{address}/openapi.json", "-H", f"Authorization: Bearer {secret}"),
            *("--checks", CHECKS, "-n", os.environ.get("AVTALE_SCHEMA_EXAMPLES", "8")),
            *("--seed", "1", "--phases", "examples,coverage,fuzzing"),
            *("--suppress-health-check", "all", "--exclude-path", LEFT_OUT),
            *("--max-failures", "20"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
