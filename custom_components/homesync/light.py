"""LEDs. A light can do what its node has shown or listed, and shows what the node confirmed."""

from typing import Any, override

from homeassistant.components.light import LightEntity, LightEntityDescription
from homeassistant.components.light.const import (
    ATTR_BRIGHTNESS,
    ATTR_EFFECT,
    ATTR_RGB_COLOR,
    ColorMode,
    LightEntityCapabilityAttribute,
    LightEntityFeature,
)
from homeassistant.const import STATE_OFF, STATE_ON, EntityCategory
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import RestoreEntity

from .client import EFFECTS, LED, LedAction, LedCommand, LedState, NodeState
from .coordinator import HomeSyncConfigEntry, HomeSyncCoordinator
from .entity import NodeEntity
from .errors import unknown_effect

PARALLEL_UPDATES = 0

LED_LIGHT = LightEntityDescription(
    key="led", translation_key="led", entity_category=EntityCategory.CONFIG
)
# From the least that an LED can do to the most; what it has shown once, it can do.
_MODES = (ColorMode.ONOFF, ColorMode.BRIGHTNESS, ColorMode.RGB)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: HomeSyncConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add an LED when its node first tells of it."""
    entry.runtime_data.add_platform(_build, async_add_entities)


def _build(coordinator: HomeSyncCoordinator, node_id: str, key: str) -> Entity | None:
    if key != LED:
        return None
    return LedLight(coordinator, node_id, key)


class LedLight(NodeEntity, RestoreEntity, LightEntity):
    """A node's LED."""

    _also = (EFFECTS,)
    _mode = ColorMode.ONOFF

    def __init__(self, coordinator: HomeSyncCoordinator, node_id: str, key: str) -> None:
        super().__init__(coordinator, node_id, key, LED_LIGHT)
        # The registry takes the features down before the entity is added.
        self._take(self.node)

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        color, effect = kwargs.get(ATTR_RGB_COLOR), kwargs.get(ATTR_EFFECT)
        if effect is not None and effect not in (self._attr_effect_list or ()):
            raise unknown_effect(effect, self.node_id)
        brightness = kwargs.get(ATTR_BRIGHTNESS)
        await self._command(LedCommand(LedAction.ON, brightness, color, effect))

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        await self._command(LedCommand(LedAction.OFF))

    @override
    def _take(self, node: NodeState) -> None:
        led, effects = node.get(LED), node.get(EFFECTS)
        shown = led if isinstance(led, LedState) else None
        self._attr_is_on = None if shown is None else shown.on
        self._attr_brightness = None if shown is None else shown.brightness
        self._attr_rgb_color = None if shown is None else shown.color
        self._attr_effect = None if shown is None else shown.effect
        self._learn_mode(shown)
        self._attr_effect_list = list(effects) if isinstance(effects, tuple) else None
        self._attr_supported_features = LightEntityFeature(
            LightEntityFeature.EFFECT if effects else 0
        )

    def _learn_mode(self, led: LedState | None) -> None:
        seen = ColorMode.ONOFF
        if led is not None and led.color is not None:
            seen = ColorMode.RGB
        elif led is not None and led.brightness is not None:
            seen = ColorMode.BRIGHTNESS
        self._mode = max(self._mode, seen, key=_MODES.index)
        self._attr_color_mode = self._mode
        self._attr_supported_color_modes = {self._mode}

    @override
    async def _restore(self) -> None:
        last = await self.async_get_last_state()
        if last is None:
            return
        known = last.attributes.get(LightEntityCapabilityAttribute.SUPPORTED_COLOR_MODES) or ()
        self._mode = max(
            (mode for mode in _MODES if mode in known), key=_MODES.index, default=self._mode
        )
        restore = self.coordinator.household.restore_value
        if effects := last.attributes.get(LightEntityCapabilityAttribute.EFFECT_LIST):
            restore(self.node_id, EFFECTS, tuple(effects))
        if last.state in (STATE_ON, STATE_OFF):
            restore(self.node_id, LED, _led_of(last))


def _led_of(state: State) -> LedState:
    """Return what an LED showed; a light that is off does not tell its colour."""
    color = state.attributes.get(ATTR_RGB_COLOR)
    return LedState(
        on=state.state == STATE_ON,
        brightness=state.attributes.get(ATTR_BRIGHTNESS),
        color=None if color is None else (color[0], color[1], color[2]),
        effect=state.attributes.get(ATTR_EFFECT),
    )
