"""The pictures of `docs/performance.md`: ratios beside their bounds, costs as work grows."""

import math
from pathlib import Path
from statistics import mean
from textwrap import wrap

from bench import report
from bench.report import Data
from bench.svg import Log, Picture, short

_WIDTH = 900
_PANEL, _HIGH, _ACROSS = 290, 248, 3  # a panel of the growth picture
_ROW = 26


def growth(data: Data) -> Picture | None:
    """A panel for each growth: cost over size, both logarithmic, and the fitted line."""
    curves = report.of_kind(data, "growth")
    if not curves:
        return None
    down = -(-len(curves) // _ACROSS)
    about = "Cost as work grows: " + "; ".join(
        f"{one['name']}, exponent {one['exponent'] or 0:.2f}" for one in curves
    )
    picture = Picture(_WIDTH, down * _HIGH + 8, about)
    for number, one in enumerate(curves):
        _panel(picture, one, number % _ACROSS * 305, number // _ACROSS * _HIGH)
    return picture


def _panel(picture: Picture, one: Data, left: float, top: float) -> None:
    sizes, costs = one["sizes"], one["costs"]
    x = Log.around(sizes, left + 52, left + _PANEL - 12)
    ends = [cost[name] for cost in costs for name in ("least", "most")]
    fitted = [cost for _, cost in _fitted(one)]
    y = Log.around([*ends, *fitted], top + _HIGH - 34, top + 60)
    for number, words in enumerate(wrap(one["name"], 40)[:2]):
        picture.words(left + 8, top + 16 + 15 * number, words, "title")
    exponent = "" if one["exponent"] is None else f", grows as size^{one['exponent']:.2f}"
    picture.words(left + 8, top + 48, f"{one['unit']}{exponent}", "faint")
    for value in x.decades():
        picture.line(x.at(value), y.start, x.at(value), y.end, "grid")
        picture.words(x.at(value), y.start + 16, short(value), "faint middle")
    for value in y.decades():
        picture.line(x.start, y.at(value), x.end, y.at(value), "grid")
        picture.words(x.start - 6, y.at(value) + 4, short(value), "faint end")
    points = [(x.at(size), y.at(cost["median"])) for size, cost in zip(sizes, costs, strict=True)]
    picture.path([(x.at(size), y.at(cost)) for size, cost in _fitted(one)], "a dash")
    for (at, median), cost in zip(points, costs, strict=True):
        picture.line(at, y.at(cost["least"]), at, y.at(cost["most"]), "a thin")
        picture.dot(at, median, "a")
    for (at, median), cost, kind in (
        (points[0], costs[0], ""),
        (points[-1], costs[-1], "end"),
    ):
        picture.words(at, max(median - 9, y.end + 10), report.number(cost["median"]), kind)


def _fitted(one: Data) -> list[tuple[float, float]]:
    """The power of the size that goes through the medians, at the least and at the largest size."""
    if one["exponent"] is None:
        return []
    sizes, medians = one["sizes"], [cost["median"] for cost in one["costs"]]
    at, level = (math.exp(mean(map(math.log, each))) for each in (sizes, medians))
    return [(size, level * (size / at) ** one["exponent"]) for size in (sizes[0], sizes[-1])]


def ratios(data: Data) -> Picture | None:
    """Each comparison's ratio over its bound: right of 1 it is met; the ring is the aim."""
    rows = [one for one in report.of_kind(data, "comparison") if one["at_least"]]
    if not rows:
        return None
    scale = Log(0.1, 10, 420, _WIDTH - 30)
    high = 44 + len(rows) * _ROW
    picture = Picture(_WIDTH, high + 30, "Each ratio over its bound: right of 1 it is met.")
    picture.words(scale.at(1), 16, "bound", "middle title")
    for value in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        picture.line(scale.at(value), 26, scale.at(value), high, "axis" if value == 1 else "grid")
        picture.words(scale.at(value), high + 18, f"{value:g}x", "faint middle")
    for number, one in enumerate(rows):
        _ratio(picture, one, scale, 44 + number * _ROW)
    return picture


def _ratio(picture: Picture, one: Data, scale: Log, y: float) -> None:
    def at(value: float) -> float:
        share = value / one["at_least"]
        share = share if one["better"] == "more" else 1 / share
        return scale.at(min(max(share, scale.low), scale.high))

    kind = "a" if one["met"] else "b"
    picture.words(scale.start - 14, y + 4, f"{one['name']} / {one['other']}", "end")
    picture.line(at(one["ratio"]["least"]), y, at(one["ratio"]["most"]), y, f"{kind} thin")
    picture.dot(at(one["ratio"]["median"]), y, kind)
    if one["aim"]:
        picture.dot(at(one["aim"]), y, "open axis", 5)


def stages(data: Data) -> Picture | None:
    """Seconds a message in each stage, as `avtale profile send` counts them."""
    found = next(
        (one for one in report.of_kind(data, "reading") if one["notes"].get("table")), None
    )
    if found is None:
        return None
    rows = {
        name: each["median"]
        for name, each in found["values"].items()
        if name not in ("CPU", "wall")
    }
    most = max(rows.values())
    picture = Picture(_WIDTH, len(rows) * _ROW + 12, f"{found['name']}, {found['unit']}")
    for number, (name, value) in enumerate(rows.items()):
        y = number * _ROW + 8
        picture.words(110, y + 14, name, "end")
        picture.bar(122, y + 3, value / most * 640, _ROW - 10, "a")
        picture.words(130 + value / most * 640, y + 14, report.number(value), "faint")
    return picture


PLOTS = {"ratios": ratios, "growth": growth, "stages": stages}


def write(folder: Path, data: Data) -> None:
    """All pictures that there are figures for."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PLOTS.items():
        picture = make(data)
        if picture is not None:
            (folder / f"{name}.svg").write_text(picture.text())
