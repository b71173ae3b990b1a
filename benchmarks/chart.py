"""Results as a chart: plain SVG that reads on light and on dark."""

from collections.abc import Sequence
from html import escape

from .figures import Results, Row, median
from .report import number

# Row → title, whether more is better.
_SHOWN = {
    "burst-700-throughput": ("Burst, 700 sensors: throughput", True),
    "burst-7000-throughput": ("Burst, 7,000 sensors: throughput", True),
    "burst-700-cpu": ("Burst, 700 sensors: CPU a message", False),
    "burst-7000-cpu": ("Burst, 7,000 sensors: CPU a message", False),
    "steady-2000-cpu": ("2,000 messages/s: CPU a message", False),
    "latency-2000-p99": ("2,000 messages/s: latency, 99 %", False),
    "lag-worst": ("Long burst: longest block of the loop", False),
    "setup-time": ("7,000 new entities: time", False),
    "setup-memory": ("7,000 new entities: memory", False),
}
_WIDTH, _LEFT, _BAR, _ROW = 760, 290, 340, 54
_STYLE = """\
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600; font-size: 15px }
  .soft { fill: #59636e }
  .better { fill: #0969da; font-weight: 600 }
  .worse { fill: #bc4c00; font-weight: 600 }
  .ours { fill: #0969da }
  .theirs { fill: #9198a1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .soft { fill: #9198a1 }
    .better { fill: #58a6ff }
    .worse { fill: #f0883e }
    .ours { fill: #58a6ff }
    .theirs { fill: #6e7681 }
  }"""


def chart(results: Results) -> str:
    """Draw a pair of bars for each row of interest."""
    known = {row.name: row for row in results.rows if all(row.homesync) and any(row.ratios)}
    rows = [(known[name], *_SHOWN[name]) for name in _SHOWN if name in known]
    height = 64 + len(rows) * _ROW
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>HomeSync beside Home Assistant's own MQTT integration</title>",
        f"<style>\n{_STYLE}\n</style>",
        *_legend(results),
    ]
    for index, (row, title, more) in enumerate(rows):
        parts += _pair(64 + index * _ROW, row, title, more=more)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(results: Results) -> list[str]:
    facts = (results.machine.get(name, "") for name in ("processor", "date"))
    return [
        '<rect class="ours" x="12" y="12" width="14" height="14" rx="2"/>',
        _text(32, 24, "HomeSync", "head"),
        f'<rect class="theirs" x="{_LEFT}" y="12" width="14" height="14" rx="2"/>',
        _text(_LEFT + 20, 24, "Home Assistant's own MQTT integration", "head"),
        _text(12, 48, f"same broker, same run; {', '.join(filter(None, facts))}", "soft"),
    ]


def _pair(top: int, row: Row, title: str, *, more: bool) -> list[str]:
    ours, theirs = median(row.homesync), median(row.core)
    longest = max(ours, theirs)
    return [
        _text(12, top + 18, title),
        _factor(top + 36, median(row.ratios), more=more),
        *_bar(top + 6, ours / longest, f"{number(ours)} {row.unit}", "ours"),
        *_bar(top + 24, theirs / longest, f"{number(theirs)} {row.unit}", "theirs"),
    ]


def _factor(top: int, ratio: float, *, more: bool) -> str:
    """How many times better, or worse."""
    factor = ratio if more else 1 / ratio
    if factor >= 1:
        return _text(12, top, f"{number(factor)} × better", "better")
    return _text(12, top, f"{number(1 / factor)} × worse", "worse")


def _bar(top: int, part: float, label: str, kind: str) -> Sequence[str]:
    width = max(1.0, part * _BAR)
    return (
        f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="14" rx="2"/>',
        _text(int(_LEFT + width + 8), top + 12, label, "soft"),
    )


def _text(x: int, y: int, content: str, kind: str = "") -> str:
    look = f' class="{kind}"' if kind else ""
    return f'<text{look} x="{x}" y="{y}">{escape(content)}</text>'
