"""A household's figures in tests, and the time that passes for them."""

from datetime import timedelta

from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.homesync.client import HouseholdStatistics, Publication

from .lookup import coordinator
from .waiting import reached

BYTE = 1e-9
"""In the GB of which options speak."""


def figures(entry: MockConfigEntry) -> HouseholdStatistics:
    return coordinator(entry).household.statistics.snapshot()


async def at_rest(entry: MockConfigEntry) -> None:
    """Return when what a household does by itself after it has connected is over."""
    household = coordinator(entry).household
    if entry.options.get("echo_interval") != 0:
        await reached(lambda: household.link.echo is not None)
    await reached(lambda: (search := household.left_overs._search) is not None and search.done())
    before = figures(entry).publishing.succeeded
    # What the broker still has to say comes before the answer to this.
    household.publish(Publication("homesync-test/rest", b""))
    await reached(lambda: figures(entry).publishing.succeeded > before)


async def a_minute_passes(hass: HomeAssistant) -> None:
    """Let the figures be shown anew."""
    await _pass(hass, 61)


async def look(hass: HomeAssistant) -> None:
    """Let the time come at which alerts are looked for."""
    await _pass(hass, 31)


def grow_older(entry: MockConfigEntry, minutes: float) -> None:
    """Let what the household has lived through, and has not, have been so much longer."""
    household = coordinator(entry).household
    household.statistics._started -= minutes * 60
    household._session.history._away_since -= minutes * 60
    for order in household.commands._outbox:
        order.waits_since -= minutes * 60
    samples = household.statistics._sources._samples
    older = [(at - minutes * 60, counted) for at, counted in samples]
    samples.clear()
    samples.extend(older)
    household.statistics._sources.sample()


async def _pass(hass: HomeAssistant, seconds: float) -> None:
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done()
