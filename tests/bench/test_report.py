"""Tables and pictures of a run: made of its JSON alone, and put between markers."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import page, plots, report
from bench.__main__ import load
from bench.measure import PATHS, Comparison, Growth, Reading, result
from bench.place import ROOT
from bench.results import Results


async def nothing(*_: object) -> Any:
    """An arm that is never called here."""


def results(file: Path | None = None) -> Results:
    kept = Results.load(file, "full")
    send = Comparison(
        "whole durable send", "product", "smtp-source", "messages/s",
        {"product": nothing, "smtp-source": nothing}, 0.15, 0.25,
    )  # fmt: skip
    claim = Comparison(
        "claim", "many", "few", "ms p50", {"many": nothing, "few": nothing}, 2, 1.3, "less"
    )
    rows = [{"product": 3000.0, "smtp-source": 15_000.0}, {"product": 1000.0, "smtp-source": 2e4}]
    stages = Reading("where it goes", "us", nothing, notes={"table": {"claim": "lease a batch"}})
    start = Reading("first start", "s", nothing, 4, 2, {"with": ".pyc files"})
    growth = Growth("import", "s", [10_000, 1_000_000], nothing)
    noise = {"seconds": 12.0, "load_before": 0.2, "load_after": 1.9, "stolen": 0.013,
             "yardstick_ms": [20.1, 27.8]}  # fmt: skip
    kept.add("stages", [result(stages, [{"claim": 40.0, "CPU": 210.0}])], noise)
    kept.add("claim", [result(claim, [{"many": 3.0, "few": 2.0}])], noise)
    kept.add("send", [result(send, rows)], noise)
    kept.add("start", [result(start, [{"seconds": 5.0}])], noise)
    curve = result(growth, [{"10,000": 0.5, "1,000,000": 50.0}])
    kept.add("import", [curve], noise, failed="TimeoutError: took too long")
    return kept


def test_a_ratio_says_whether_its_bound_is_met_and_how_far_the_aim_is() -> None:
    send, claim = report.comparisons(results().data).splitlines()[2:]
    assert send == (
        "| whole durable send | 2,000 (1,000 to 3,000) messages/s "
        "| smtp-source: 17,500 (15,000 to 20,000) | 0.125 (0.05 to 0.2) "
        "| at least 0.15 **not met** | 0.25 (50% of it) |"
    )
    assert claim == ("| claim | 3 ms p50 | few: 2 | 1.5 | at most 2 met | 1.3 (115% of it) |")


def test_readings_and_growths_have_tables_of_their_own() -> None:
    data = results().data
    assert report.readings(data).splitlines()[2:] == [
        "| first start | seconds 5 s | at most 4 **not met** | 2 (250% of it) |"
    ]
    assert report.growths(data).splitlines()[2:] == [
        "| import | 10,000: 0.5, 1,000,000: 50 s | 1.00 |"
    ]
    assert report.stages(data).splitlines()[2:] == [
        "| claim | 40 | lease a batch |", "| CPU | 210 |  |"
    ]  # fmt: skip
    assert report.notes(data) == "- **first start**: with: .pyc files."


def test_the_noise_names_what_failed_and_the_spread_of_the_ceiling() -> None:
    told = report.noise(results().data)
    assert "| 0.2, 1.9 | 1.3% | 20 to 28 | 1.33x |" in told
    assert "All paths together took 1 minutes." in told  # five of twelve seconds
    assert "**failed: TimeoutError: took too long**" in told


def test_a_path_keeps_its_figures_until_it_is_run_again(tmp_path: Path) -> None:
    file = tmp_path / "var" / "found.json"
    results(file)
    again = Results.load(file, "full")
    assert list(again.data["paths"]) == ["stages", "claim", "send", "start", "import"]
    assert again.missed(["send", "claim", "start"]) == ["whole durable send", "first start"]
    assert Results.load(file, "quick").data["paths"] == {}
    assert json.loads(file.read_text())["paths"]["send"]["results"][0]["ratio"]["values"] == [
        0.2, 0.05
    ]  # fmt: skip


def test_a_page_keeps_what_is_written_by_hand(tmp_path: Path) -> None:
    words = "# Fast\n\nBy hand.\n"
    for block in report.BLOCKS:
        words += f"\n## {block}\n\n<!-- bench:{block}:begin -->\nold\n<!-- bench:{block}:end -->\n"
    file = tmp_path / "performance.md"
    file.write_text(words)
    data = results().data
    page.write(file, data)
    written = file.read_text()
    assert written.startswith("# Fast\n\nBy hand.\n\n## ratios\n\n<!-- bench:ratios:begin -->\n")
    assert "\nold\n" not in written
    for make in report.BLOCKS.values():
        assert make(data) in written
    page.write(file, data)
    assert file.read_text() == written
    assert {one.stem for one in (tmp_path / "performance").iterdir()} == set(plots.PLOTS)


def test_the_page_on_performance_has_every_marker_and_every_path() -> None:
    assert load() == {}
    words = (ROOT / "docs" / "performance.md").read_text()
    for block in report.BLOCKS:
        assert page.put_in(words, block, "x").count(f"bench:{block}:begin -->\n\nx\n\n<!--") == 1
    assert set(PATHS) <= set(report.ORDER)
    assert [name for name in PATHS if f"\n| {name} |" not in words] == []


def test_a_page_without_a_marker_is_refused() -> None:
    with pytest.raises(ValueError, match="bench:noise:end"):
        page.put_in("<!-- bench:noise:begin -->", "noise", "x")


@pytest.mark.parametrize("make", plots.PLOTS.values(), ids=plots.PLOTS)
def test_a_picture_is_svg_and_stays_inside_its_frame(make: Any) -> None:
    picture = make(results().data)
    root = ElementTree.fromstring(picture.text())
    width, height = picture.width, picture.height
    seen = 0
    for part in root.iter():
        for name, most in (("x", width), ("y", height)):
            for place in (name, f"c{name}", f"{name}1", f"{name}2"):
                if place in part.attrib:
                    seen += 1
                    assert 0 <= float(part.attrib[place]) <= most
    assert seen > 5
    assert root.attrib["aria-label"]


def test_without_figures_there_is_no_picture() -> None:
    assert [make({"paths": {}}) for make in plots.PLOTS.values()] == [None] * len(plots.PLOTS)
