"""`--where` on the command line."""

from orchestrator.errors import BadInput
from orchestrator.rules.where import BadWhere, Node, parse


def parse_where(text: str | None) -> Node | None:
    """The expression, or None for everybody. Raises BadInput that points at the column."""
    if text is None:
        return None
    try:
        return parse(text)
    except BadWhere as error:
        pointer = " " * (error.column - 1) + "^"
        raise BadInput(f"--where, {error}\n  {text}\n  {pointer}") from None
