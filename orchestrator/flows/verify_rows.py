"""The checks of `avtale verify` that are no query: history folded, keys derived anew."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from orchestrator.errors import SetupError
from orchestrator.flows.publish_sequence import digest
from orchestrator.keys import Keys
from orchestrator.rules.program import Program
from orchestrator.rules.verify import Difference
from orchestrator.rules.verify_history import Standing, Told, judge


def judge_rows(
    keys: Keys, table: str, rows: Sequence[RowMapping], lines: Sequence[RowMapping]
) -> Iterator[Difference]:
    """What is wrong with these rows of `table`; `lines` is the history of messages."""
    if table == "messages":
        yield from _messages(keys, rows, lines)
        return
    one_row = _JUDGES.get(table)
    for row in rows if one_row else ():
        assert one_row is not None
        if (found := one_row(keys, row)) is not None:
            yield found


def _messages(
    keys: Keys, rows: Sequence[RowMapping], lines: Sequence[RowMapping]
) -> Iterator[Difference]:
    told: defaultdict[UUID, list[Told]] = defaultdict(list)
    for line in lines:
        told[line["message_id"]].append(Told(line["kind"], line["fence"], line["by"]))
    for row in rows:
        owner, name = str(row["prospect_id"]), str(row["id"])
        standing = Standing(row["state"], row["fence"], row["attempt"])
        for check, found in judge(standing, told[row["id"]]):
            yield Difference(check, "messages", name, owner, found)
        domain = row["rfc_message_id"].rpartition("@")[2].rstrip(">")
        if keys.rfc_message_id(row["id"], domain) != row["rfc_message_id"]:
            yield Difference("message_id", "messages", name, owner, {"domain": domain})


def _identity(keys: Keys, row: RowMapping) -> Difference | None:
    if keys.address_hash(row["channel"], row["address"]) == row["address_hash"]:
        return None
    owner, found = str(row["prospect_id"]), {"channel": row["channel"]}
    return Difference("address_hash", "identities", str(row["id"]), owner, found)


def _version(_keys: Keys, row: RowMapping) -> Difference | None:
    try:
        made = digest(Program.model_validate(row["definition"]))
    except ValueError:
        made = "cannot be read"
    if made == row["digest"]:
        return None
    found = {"digest": row["digest"], "is": made}
    return Difference("version_digest", "sequence_versions", str(row["id"]), None, found)


def _sender(keys: Keys, row: RowMapping) -> Difference | None:
    try:
        if row["secrets"] is not None:
            keys.unseal(row["secrets"])
    except SetupError:
        return Difference("sealed", "senders", str(row["id"]), None)
    return None


_JUDGES: dict[str, Callable[[Keys, RowMapping], Difference | None]] = {
    "identities": _identity,
    "sequence_versions": _version,
    "senders": _sender,
}
