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
    "setup-time": ("7,000 new sensors: time", False),
    "setup-memory": ("7,000 new sensors: memory", False),
}
_WIDTH, _LEFT, _BAR, _ROW = 760, 280, 340, 52
_STYLE = """\
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600; font-size: 15px }
  .soft { fill: #59636e }
  .ours { fill: #0969da }
  .theirs { fill: #9198a1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .soft { fill: #9198a1 }
    .ours { fill: #58a6ff }
    .theirs { fill: #6e7681 }
  }"""


def chart(results: Results) -> str:
    """Draw a pair of bars for each row of interest."""
    known = {row.name: row for row in results.rows if row.homesync and row.core}
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
        '<rect class="theirs" x="122" y="12" width="14" height="14" rx="2"/>',
        _text(142, 24, "Home Assistant's own mqtt", "head"),
        _text(12, 46, f"same broker, same run; {', '.join(filter(None, facts))}", "soft"),
    ]


def _pair(top: int, row: Row, title: str, *, more: bool) -> list[str]:
    ours, theirs = median(row.homesync), median(row.core)
    longest = max(ours, theirs) or 1.0
    return [
        _text(12, top + 18, title),
        _text(12, top + 36, _factor(ours, theirs, more=more), "soft"),
        *_bar(top + 6, ours / longest, f"{number(ours)} {row.unit}", "ours"),
        *_bar(top + 24, theirs / longest, f"{number(theirs)} {row.unit}", "theirs"),
    ]


def _factor(ours: float, theirs: float, *, more: bool) -> str:
    """How many times better, or worse."""
    if not ours or not theirs:
        return ""
    factor = ours / theirs if more else theirs / ours
    return f"{number(factor)} × better" if factor >= 1 else f"{number(1 / factor)} × worse"


def _bar(top: int, part: float, label: str, kind: str) -> Sequence[str]:
    width = max(1.0, part * _BAR)
    return (
        f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="14" rx="2"/>',
        _text(int(_LEFT + width + 8), top + 12, label, "soft"),
    )


def _text(x: int, y: int, content: str, kind: str = "") -> str:
    look = f' class="{kind}"' if kind else ""
    return f'<text{look} x="{x}" y="{y}">{escape(content)}</text>'
