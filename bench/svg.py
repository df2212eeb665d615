"""A few lines of SVG, readable on light and on dark ground."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

# Ink, faint ink, then the colours of what is shown: each readable on its ground.
_STYLE = """
 text { font: 12px system-ui, sans-serif; fill: #24292f }
 .title { font-weight: 600 } .faint { fill: #57606a } .end { text-anchor: end }
 .middle { text-anchor: middle }
 .grid { stroke: #d0d7de; stroke-width: 1 } .axis { stroke: #57606a; stroke-width: 1 }
 .a { stroke: #0969da; fill: #0969da } .b { stroke: #bc4c00; fill: #bc4c00 }
 .line { fill: none; stroke-width: 2 } .thin { stroke-width: 1.5 } .dash { stroke-dasharray: 5 4 }
 .open { fill: none; stroke-width: 1.5 }
 @media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .faint { fill: #9198a1 }
  .grid { stroke: #3d444d } .axis { stroke: #9198a1 }
  .a { stroke: #58a6ff; fill: #58a6ff } .b { stroke: #f0883e; fill: #f0883e }
 }
"""


@dataclass
class Picture:
    """Collects shapes; `text` is the whole file. `about` is read aloud in its place."""

    width: int
    height: int
    about: str
    parts: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line."""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'
        )

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """A line through `points`."""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" class="line {kind}"/>')

    def dot(self, x: float, y: float, kind: str, radius: float = 4) -> None:
        """A disc."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{kind}"/>')

    def bar(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """A filled rectangle, never invisible."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" '
            f'class="{kind}"/>'
        )

    def words(self, x: float, y: float, words: str, kind: str = "") -> None:
        """Text whose baseline is at `y`."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>')

    def text(self) -> str:
        """The file."""
        size = f'width="{self.width}" height="{self.height}"'
        about = escape(self.about, quote=True)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
                f'viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{about}">',
                f"<style>{_STYLE}</style>",
                *self.parts,
                "</svg>",
                "",
            ]
        )


@dataclass(frozen=True)
class Log:
    """A logarithmic scale: `low` at `start`, `high` at `end` (pixels)."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float) -> "Log":
        """From the decade below the least to the one above the most, at least one decade."""
        low = 10 ** math.floor(math.log10(min(values)))
        high = 10 ** math.ceil(math.log10(max(values)))
        return cls(low, high if high > low else low * 10, start, end)

    def at(self, value: float) -> float:
        """The pixel of `value`."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def decades(self) -> list[float]:
        """The powers of ten on it."""
        first, last = round(math.log10(self.low)), round(math.log10(self.high))
        return [10.0**power for power in range(first, last + 1)]


def short(value: float) -> str:
    """`5M`, `10k`, `300`, `0.01`."""
    for size, word in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{word}"
    return f"{value:g}"
