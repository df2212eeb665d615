"""The tables of `docs/performance.md`, from the JSON of a run and from nothing else."""

from collections.abc import Iterable
from typing import Any

Data = dict[str, Any]


# The order of the page; what is not named comes last.
ORDER = (
    *("send", "send_growth", "lanes", "workers", "far", "claim", "plan", "webhook", "pixel"),
    *("import", "latency", "start", "memory", "stages"),
)


def ordered(names: Iterable[str]) -> list[str]:
    """`names` in the order of the page."""
    return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


def of_kind(data: Data, kind: str) -> list[Data]:
    """All results of a kind, in the order of the page."""
    return [
        one
        for name in ordered(data["paths"])
        for one in data["paths"][name]["results"]
        if one["kind"] == kind
    ]


def number(value: float) -> str:
    """Three figures, or whole thousands."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(found: Data) -> str:
    """`median (least to most)`; one round is one number."""
    if len(found["values"]) == 1:
        return number(found["median"])
    return f"{number(found['median'])} ({number(found['least'])} to {number(found['most'])})"


def _bound(data: Data, value: float | None, met: bool | None) -> str:
    words = {True: " met", False: " **not met**", None: ""}[met]
    if data["size"] == "quick":
        words = " (not judged on this scale)"
    return "" if value is None else f"{value:g}{words}"


def _aim(found: Data, value: float, more: bool) -> str:
    if found["aim"] is None:
        return ""
    reached = value >= found["aim"] if more else value <= found["aim"]
    far = value / found["aim"]
    return f"{found['aim']:g} " + ("reached" if reached else f"({far:.0%} of it)")


def comparisons(data: Data) -> str:
    """The table of ratios: medians with the least and the most of the rounds."""
    lines = [
        "| what | product | beside it | ratio | bound | aim |",
        "|---|---|---|---|---|---|",
    ]
    for one in of_kind(data, "comparison"):
        arms, more = one["arms"], one["better"] == "more"
        word = "at least " if more else "at most "
        bound = _bound(data, one["at_least"], one["met"])
        lines.append(
            f"| {one['name']} | {spread(arms[one['product']])} {one['unit']} "
            f"| {one['other']}: {spread(arms[one['other']])} | {spread(one['ratio'])} "
            f"| {bound and word + bound} | {_aim(one, one['ratio']['median'], more)} |"
        )
    return "\n".join(lines)


def readings(data: Data) -> str:
    """The table of figures that stand for themselves."""
    lines = ["| what | figures | bound | aim |", "|---|---|---|---|"]
    for one in of_kind(data, "reading"):
        if one["notes"].get("table"):
            continue  # a table of its own
        shown = ", ".join(f"{name} {spread(each)}" for name, each in one["values"].items())
        first = next(iter(one["values"].values()))["median"]
        bound = _bound(data, one["at_most"], one["met"])
        lines.append(
            f"| {one['name']} | {shown} {one['unit']} | {bound and 'at most ' + bound} "
            f"| {_aim(one, first, more=False)} |"
        )
    return "\n".join(lines)


def stages(data: Data) -> str:
    """The readings that are tables: a line for each key, with what it is."""
    lines = []
    for one in of_kind(data, "reading"):
        about = one["notes"].get("table")
        if about:
            lines += ["", f"| {one['name']} | {one['unit']} | |", "|---|---:|---|"]
            lines += [
                f"| {name} | {spread(each)} | {about.get(name, '')} |"
                for name, each in one["values"].items()
            ]
    return "\n".join(lines[1:])


def growths(data: Data) -> str:
    """The table of costs at each size, with the fitted exponent."""
    lines = ["| what | at sizes | exponent |", "|---|---|---|"]
    for one in of_kind(data, "growth"):
        pairs = zip(one["sizes"], one["costs"], strict=True)
        shown = ", ".join(f"{size:,}: {number(cost['median'])}" for size, cost in pairs)
        exponent = "" if one["exponent"] is None else f"{one['exponent']:.2f}"
        lines.append(f"| {one['name']} | {shown} {one['unit']} | {exponent} |")
    return "\n".join(lines)


def notes(data: Data) -> str:
    """What the paths noted beside their figures: one line each."""
    lines = []
    for kind in ("comparison", "reading", "growth"):
        for one in of_kind(data, kind):
            told = {name: words for name, words in one["notes"].items() if name != "table"}
            if told:
                shown = "; ".join(f"{name}: {_plain(words)}" for name, words in told.items())
                lines.append(f"- **{one['name']}**: {shown}.")
    return "\n".join(lines)


def _plain(words: Any) -> str:
    """A note as words: what is a table of its own is listed."""
    if isinstance(words, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in words.items())
    return number(words) if isinstance(words, float) else str(words)


def noise(data: Data) -> str:
    """What else the machine did while each path was measured."""
    machine = data["machine"]
    lines = [
        f"{machine['cpus']} cores ({machine['processor'] or 'of an unknown kind'}), "
        f"Python {machine['python']}, the {data['size']} form. All paths together took "
        f"{sum(path['noise']['seconds'] for path in data['paths'].values()) / 60:.0f} minutes.",
        "",
        "| path | taken | seconds | load before, after | stolen by the host | yardstick, ms "
        "| widest ceiling |",
        "|---|---|---:|---|---:|---|---:|",
    ]
    for name in ordered(data["paths"]):
        path = data["paths"][name]
        told = path["noise"]
        pace = told["yardstick_ms"] or [0.0]
        failed = f", **failed: {path['failed']}**" if path["failed"] else ""
        lines.append(
            f"| {name} | {path['taken']}{failed} | {told['seconds']:.0f} "
            f"| {told['load_before']:g}, {told['load_after']:g} | {told['stolen']:.1%} "
            f"| {min(pace):.0f} to {max(pace):.0f} | {_widest(path)} |"
        )
    return "\n".join(lines)


def _widest(path: Data) -> str:
    """The most over the least round of the ceilings, where it is largest."""
    found = [
        one["arms"][one["other"]]["most"] / one["arms"][one["other"]]["least"]
        for one in path["results"]
        if one["kind"] == "comparison" and one["arms"][one["other"]]["least"]
    ]
    return f"{max(found):.2f}x" if found else ""


BLOCKS = {
    "ratios": comparisons,
    "readings": readings,
    "stages": stages,
    "growth": growths,
    "notes": notes,
    "noise": noise,
}


def everything(data: Data) -> str:
    """All blocks, for a terminal."""
    return "\n\n".join(make(data) for make in BLOCKS.values())
