"""The event loop and a browser during a long burst: aim 4."""

from dataclasses import dataclass

from ..bench import Bench
from ..channel import Program
from ..figures import Row, all_of, at_most, collections, holds, never_above, ratios
from ..site import House, Site

_WORST = 100.0
_GAP = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    p99: float
    worst: float
    collection: float
    gap: float
    connected: bool
    updates: float


def lag(bench: Bench) -> list[Row]:
    """Loop lag and freshness in a connected browser."""
    site = bench.small
    browsers = {side: _open(site, house) for side, house in site.houses.items()}
    for house in site.houses.values():
        house.burst(bench.sizes.long_burst // 40)
    found: dict[str, list[_Found]] = {side: [] for side in browsers}
    for side, browser in browsers.items():
        # Core's one run takes as long as the rest of the row, and stands for all. It comes last:
        # for a while after it, core and its browser have more to do than there are processors.
        for _ in range(bench.sizes.runs if side == "homesync" else 1):
            found[side].append(_measure(site.houses[side], browser, bench.sizes.long_burst))
    for browser in browsers.values():
        browser.ask("close")
    ours, theirs = found["homesync"], found["core"]
    what = f"burst of {bench.sizes.long_burst:,} with a browser"
    return [*_lateness(what, ours, theirs), _freshness(what, ours, theirs)]


def _open(site: Site, house: House) -> Program:
    browser = site.start("browser")
    browser.ask("open", url=house.about["url"], token=house.about["token"])
    return browser


def _measure(house: House, browser: Program, messages: int) -> _Found:
    browser.ask("clear")
    house.program.ask("watch_lag")
    burst = house.burst(messages, within=90)
    late = house.program.ask("lag")
    seen = browser.ask("report", begin=burst.begin, end=burst.done)
    return _Found(
        p99=late["p99"],
        worst=late["worst"],
        collection=late["collection"],
        gap=seen["gap"],
        connected=seen["connected"] and seen["sensors"] == house.plant.size,
        updates=seen["updates"] / ((burst.done - burst.begin) / 1e9),
    )


def _lateness(what: str, ours: list[_Found], theirs: list[_Found]) -> list[Row]:
    p99, p99_core = [each.p99 for each in ours], [each.p99 for each in theirs]
    worst = [each.worst for each in ours]
    return [
        Row(
            name="lag-p99",
            what=f"{what}: loop lag p99",
            unit="ms",
            homesync=p99,
            core=p99_core,
            aim="≤ core's",
            verdict=at_most(ratios(p99, p99_core), 1.0),
            note="core's one run stands for all, in this row and the two that follow",
        ),
        Row(
            name="lag-worst",
            what=f"{what}: loop lag worst",
            unit="ms",
            homesync=worst,
            core=[each.worst for each in theirs],
            aim="≤ 100 ms",
            verdict=never_above(worst, _WORST),
            note=collections([each.collection for each in ours]),
        ),
    ]


def _freshness(what: str, ours: list[_Found], theirs: list[_Found]) -> Row:
    gaps = [each.gap for each in ours]
    connected, core_connected = (all(each.connected for each in side) for side in (ours, theirs))
    return Row(
        name="browser-gap",
        what=f"{what}: longest wait of any sensor for a fresh value",
        unit="s",
        homesync=gaps,
        core=[each.gap for each in theirs],
        aim="≤ 0.5 s, stays connected",
        verdict=all_of(never_above(gaps, _GAP), holds(connected)),
        note=f"stays connected: {_words(connected)} (core: {_words(core_connected)}); at most"
        f" {max(each.updates for each in ours):,.0f} values a second reach the browser"
        f" (core: {max(each.updates for each in theirs):,.0f})",
    )


def _words(condition: bool) -> str:
    return "yes" if condition else "no"
