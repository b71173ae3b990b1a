"""Actions for a whole household: what its broker keeps, raw messages, the connection."""

from itertools import islice
from typing import Any

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.json import json_bytes
import voluptuous as vol

from ..api import left_overs
from ..client import Household, Publication
from ..coordinator import HomeSyncConfigEntry
from ..errors import failure, translated
from .targets import household

_DRY_RUN, _TOPIC, _PAYLOAD, _QOS, _RETAIN = "dry_run", "topic", "payload", "qos", "retain"
_AT_ONCE = 500  # topics; well below what a connection lets wait


def _payload(value: Any) -> bytes:
    """Take a text as it is and everything else as JSON."""
    try:
        return value.encode() if isinstance(value, str) else json_bytes(value)
    except (TypeError, ValueError) as err:
        raise vol.Invalid(f"it cannot be sent: {type(err).__name__}") from None


RECONNECT_SCHEMA = vol.Schema({vol.Required(ATTR_CONFIG_ENTRY_ID): cv.string})
PURGE_SCHEMA = vol.Schema(
    {
        vol.Required(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Optional(_DRY_RUN, default=True): cv.boolean,
    }
)
PUBLISH_SCHEMA = vol.Schema(
    {
        vol.Required(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Required(_TOPIC): cv.string,
        vol.Optional(_PAYLOAD, default=""): _payload,
        vol.Optional(_QOS, default=0): vol.All(vol.Coerce(int), vol.In((0, 1))),
        vol.Optional(_RETAIN, default=False): cv.boolean,
    }
)


async def async_reconnect(call: ServiceCall) -> None:
    """Connect a household anew, or try at once if it is not connected."""
    household(call).runtime_data.household.reconnect()


async def async_publish(call: ServiceCall) -> None:
    """Send a raw message through a household's connection."""
    entry = household(call)
    message = Publication(
        call.data[_TOPIC], call.data[_PAYLOAD], qos=call.data[_QOS], retain=call.data[_RETAIN]
    )
    with translated(entry.title):
        entry.runtime_data.household.publish(message)


async def async_purge_retained(call: ServiceCall) -> ServiceResponse:
    """List what a broker keeps for nobody, and clear it unless it is a dry run."""
    entry = household(call)
    connection = entry.runtime_data.household
    with translated(entry.title):
        found = await _look(entry)
        reasons = left_overs(connection, found)
        left = list(found) if call.data[_DRY_RUN] else await _clear(entry, connection, found)
    if left and not call.data[_DRY_RUN] and not call.return_response:
        raise failure("not_cleared", household=entry.title, count=str(len(left)))
    if not call.return_response:
        return None
    return {
        "household": entry.title,
        "dry_run": call.data[_DRY_RUN],
        "found": reasons,
        "cleared": len(found) - len(left),
        "left": sorted(left),
    }


async def _look(entry: HomeSyncConfigEntry) -> dict[str, int]:
    found = await entry.runtime_data.household.left_overs.find()
    if found is None:
        raise failure("cannot_look", household=entry.title)
    return found


async def _clear(
    entry: HomeSyncConfigEntry, connection: Household, found: dict[str, int]
) -> list[str]:
    """Clear topics, look whether they are gone, and return those that are not."""
    left = list(found)
    while left:
        connection.left_overs.clear(islice(left, _AT_ONCE))
        there = await _look(entry)
        still = [topic for topic in left if topic in there]
        if len(still) == len(left):
            break
        left = still
    return left
