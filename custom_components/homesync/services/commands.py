"""Actions for nodes: commands, their withdrawal, new firmware."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util.json import JsonValueType, json_loads
import voluptuous as vol

from ..client import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    DEFAULT_TTL,
    LONGEST_TTL,
    CommandResult,
    Delivery,
    Firmware,
    Outcome,
)
from ..errors import failure_of, invalid, several_failed, translated
from ..outcomes import outcome_of
from .kinds import COMMAND_FIELDS, command_of
from .targets import TARGET_FIELDS, Target, async_check_all_control, async_targets, household

_TIMEOUT, _RETRIES, _QUEUE, _TTL = "timeout", "retries", "queue", "ttl"
_VERSION, _URL, _SHA256, _SIZE = "version", "url", "sha256", "size"
_NEEDED = frozenset((_VERSION, _URL, _SHA256))

SEND_SCHEMA = vol.Schema(
    {
        **TARGET_FIELDS,
        **COMMAND_FIELDS,
        vol.Optional(_TIMEOUT, default=DEFAULT_TIMEOUT): vol.All(
            vol.Coerce(float), vol.Range(min=0.5, max=60)
        ),
        vol.Optional(_RETRIES, default=DEFAULT_RETRIES): vol.All(
            vol.Coerce(int), vol.Range(min=0, max=10)
        ),
        vol.Optional(_QUEUE, default=False): cv.boolean,
        vol.Optional(_TTL, default=DEFAULT_TTL): vol.All(
            vol.Coerce(float), vol.Range(min=1, max=LONGEST_TTL)
        ),
    }
)
CANCEL_SCHEMA = vol.Schema({**TARGET_FIELDS, vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})
INSTALL_SCHEMA = vol.Schema(
    {
        **TARGET_FIELDS,
        vol.Optional(_VERSION): cv.string,
        vol.Optional(_URL): cv.string,
        vol.Optional(_SHA256): cv.string,
        vol.Optional(_SIZE): vol.All(vol.Coerce(int), vol.Range(min=1)),
        vol.Optional(_QUEUE, default=False): cv.boolean,
    }
)

_NO_COMMAND: dict[str, JsonValueType] = {
    **dict.fromkeys(("command", "action", "request_id", "result", "latency_ms", "settings")),
    "attempts": 0,
}

type _Result = CommandResult | HomeAssistantError


async def async_send_command(call: ServiceCall) -> ServiceResponse:
    """Send a command to each of the nodes, at once, and return how each ended.

    A caller that takes no response would not see a failure: it is raised for it.
    """
    targets = await async_targets(call)
    with translated():
        command = command_of(call.data)
    delivery = Delivery(
        timeout=call.data[_TIMEOUT],
        retries=call.data[_RETRIES],
        queue=call.data[_QUEUE],
        ttl=call.data[_TTL],
    )
    return await _for_each(
        call,
        targets,
        lambda target: target.entry.runtime_data.household.commands.execute(
            target.node_id, command, delivery
        ),
    )


async def async_cancel_commands(call: ServiceCall) -> ServiceResponse:
    """Withdraw what waits for nodes, or for a whole household; return how many."""
    if ATTR_CONFIG_ENTRY_ID in call.data:
        if any(str(field) in call.data for field in TARGET_FIELDS):
            raise invalid("nodes_or_household")
        entry = household(call)
        await async_check_all_control(call)
        cancelled = entry.runtime_data.household.commands.cancel()
    else:
        cancelled = sum(
            target.entry.runtime_data.household.commands.cancel(target.node_id)
            for target in await async_targets(call)
        )
    return {"cancelled": cancelled} if call.return_response else None


async def async_install_firmware(call: ServiceCall) -> ServiceResponse:
    """Have nodes install the given firmware, or each the newest that is known for it."""
    targets = await async_targets(call)
    with translated():
        firmware = _firmware(call)
    return await _for_each(
        call,
        targets,
        lambda target: target.entry.runtime_data.async_install(
            target.node_id, firmware, queue=call.data[_QUEUE]
        ),
    )


def _firmware(call: ServiceCall) -> Firmware | None:
    """Return what is to be installed; None if nothing was named."""
    given = {name: call.data[name] for name in (*_NEEDED, _SIZE) if name in call.data}
    if not given:
        return None
    if missing := _NEEDED.difference(given):
        raise invalid("firmware_incomplete", fields=", ".join(sorted(missing)))
    return Firmware(**given)


async def _for_each(
    call: ServiceCall,
    targets: Sequence[Target],
    do: Callable[[Target], Coroutine[Any, Any, CommandResult]],
) -> ServiceResponse:
    """Do something with all nodes at once; return how each ended, or raise what failed."""
    results = await asyncio.gather(*(_attempt(target, do) for target in targets))
    ended = list(zip(targets, results, strict=True))
    if call.return_response:
        return {"results": [_told(target, result) for target, result in ended]}
    failures = [
        (target.entry.title, error)
        for target, result in ended
        if (error := _failure(target, result)) is not None
    ]
    if failures and len(targets) == 1:
        raise failures[0][1]
    if failures:
        raise several_failed(failures, len(targets))
    return None


async def _attempt(
    target: Target, do: Callable[[Target], Coroutine[Any, Any, CommandResult]]
) -> _Result:
    """Do it; an error of one node does not end what is under way for the others."""
    try:
        with translated(target.entry.title):
            return await do(target)
    except HomeAssistantError as err:
        return err


def _failure(target: Target, result: _Result) -> HomeAssistantError | None:
    if isinstance(result, HomeAssistantError):
        return result
    return failure_of(result, target.entry.title)


def _told(target: Target, result: _Result) -> dict[str, JsonValueType]:
    """Return one line of the response."""
    line: dict[str, JsonValueType] = {
        "device_id": target.device_id,
        "node_id": target.node_id,
        "household": target.entry.title,
    }
    if isinstance(result, HomeAssistantError):
        # Refused by a check of ours, before it became a command.
        refusal = {"outcome": Outcome.REJECTED.value, "reason": result.translation_key}
        return {**line, **_NO_COMMAND, **refusal, "detail": str(result)}
    settings = None if result.settings is None else json_loads(result.settings)
    return {**line, "command": result.kind, **outcome_of(result), "settings": settings}
