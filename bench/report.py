"""The table of `docs/performance.md`, from the JSON of a run."""

from collections.abc import Iterable
from typing import Any

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _spread(spread: dict[str, float]) -> str:
    low, high = _number(spread["least"]), _number(spread["most"])
    return f"{_number(spread['median'])} ({low} to {high})"


def table(rows: Iterable[dict[str, Any]]) -> str:
    """A Markdown table: medians with the least and the most of the rounds."""
    lines = [
        "| path | product | beside | ratio | at least | aim |",
        "|---|---|---|---|---|---|",
    ]
    for one in rows:
        arms = one["arms"]
        bound = "" if one["at_least"] is None else f"{one['at_least']:g}"
        met = {True: " met", False: " **not met**", None: ""}[one["met"]]
        lines.append(
            f"| {one['name']} | {_spread(arms[one['product']])} {one['unit']} "
            f"| {one['other']}: {_spread(arms[one['other']])} | {_spread(one['ratio'])} "
            f"| {bound}{met} | {'' if one['aim'] is None else format(one['aim'], 'g')} |"
        )
    return "\n".join(lines)


def put_in(page: str, words: str) -> str:
    """`page` with what stands between the markers replaced. Raises ValueError without markers."""
    head, found, rest = page.partition(BEGIN)
    _, closed, tail = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{head}{BEGIN}\n{words}\n{END}{tail}"
