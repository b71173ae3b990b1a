"""Numbers that follow one another are written alone, and look as if written whole."""

from dataclasses import dataclass
import gc
import time
from types import SimpleNamespace
from typing import Any

from homeassistant.components.sensor import DATA_COMPONENT, SensorEntity
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Context, Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.core_config import DATA_CUSTOMIZE
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.entity_values import EntityValues
import pytest

from custom_components.homesync.state_writes import NumberWriter
from tests.broker import Mosquitto

from .conftest import SetUp
from .lookup import device_id, entity_id, is_connected
from .waiting import until
from .wire import Wire


class Alone:
    """Counts the numbers that were written alone."""

    times = 0


@dataclass
class Meter:
    """The power sensor of a plug."""

    hass: HomeAssistant
    wire: Wire
    entity_id: str
    device_id: str

    @property
    def state(self) -> State:
        state = self.hass.states.get(self.entity_id)
        assert state is not None
        return state

    @property
    def entity(self) -> SensorEntity:
        entity = self.hass.data[DATA_COMPONENT].get_entity(self.entity_id)
        assert entity is not None
        return entity

    async def show(self, value: float, unit: str = "W", *, shown: str | None = None) -> State:
        """Have a value sent, wait until it is shown, and return the state."""
        self.wire.say("telemetry/power", {"value": value, "unit": unit})
        wanted = str(value) if shown is None else shown
        await until(self.hass, lambda: self.state.state == wanted)
        return self.state


@callback
def ignore(_event: Event[Any]) -> None:
    """Listen to no purpose."""


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Alone:
    count, write = Alone(), NumberWriter.write

    def counting(self: NumberWriter, number: object, unit: str | None) -> bool:
        done = write(self, number, unit)
        count.times += done
        return done

    monkeypatch.setattr(NumberWriter, "write", counting)
    return count


@pytest.fixture
async def meter(
    hass: HomeAssistant, mosquitto: Mosquitto, set_up: SetUp, wire: Wire, alone: Alone
) -> Meter:
    """A meter that has shown 1 and 2 W, the second of them written whole."""
    entry = await set_up(mosquitto.port)
    await until(hass, lambda: is_connected(hass, entry))
    power = ("sensor", "plug-1", "telemetry/power")
    wire.say("telemetry/power", {"value": 1, "unit": "W"})
    await until(hass, lambda: entity_id(hass, entry, *power) is not None)
    meter = Meter(
        hass, wire, entity_id(hass, entry, *power) or "", device_id(hass, entry, "plug-1")
    )
    await until(hass, lambda: hass.states.get(meter.entity_id) is not None)
    await meter.show(2)
    assert alone.times == 0
    # Home Assistant makes events only if somebody listens.
    hass.bus.async_listen(EVENT_STATE_CHANGED, ignore)
    return meter


@pytest.mark.parametrize(
    "value",
    [
        *(3, 3.5, 0, -0.1, 0.1 + 0.2, 1e9, 123456789.123456789, 1e-7, -12.25, 123456789),
        *(0.00001234, 1e5 / 3, -2e8 / 3, 99999999.9999999, 9999999.99999999, 1234567.12345678),
    ],
)
async def test_a_number_written_alone_is_what_a_whole_write_makes_of_it(
    hass: HomeAssistant, meter: Meter, alone: Alone, value: float
) -> None:
    before = meter.state
    written = await meter.show(value, shown=f"{value:.15}" if type(value) is float else str(value))
    assert alone.times == 1
    assert written.attributes == before.attributes
    assert written.last_changed > before.last_changed

    meter.entity.async_write_ha_state()

    # Home Assistant puts another state there only if anything differs.
    assert meter.state is written
    assert meter.entity.native_value == value


async def test_a_number_without_a_unit_of_its_own_is_written_alone_too(
    hass: HomeAssistant, meter: Meter, alone: Alone
) -> None:
    def shown() -> State | None:
        return hass.states.get("sensor.villa_plug_1_signal_strength")

    meter.wire.say("status/rssi", {"rssi": -60})
    await until(hass, lambda: shown() is not None)
    for rssi in (-61, -62, -63):
        meter.wire.say("status/rssi", {"rssi": rssi})
    await until(hass, lambda: alone.times == 2)
    state = shown()
    assert state is not None
    assert (state.state, state.attributes["unit_of_measurement"]) == ("-63", "dBm")


async def test_listeners_hear_of_a_number_written_alone(hass: HomeAssistant, meter: Meter) -> None:
    heard: list[tuple[str, str]] = []

    @callback
    def listen(event: Event[EventStateChangedData]) -> None:
        old, new = event.data["old_state"], event.data["new_state"]
        if event.data["entity_id"] == meter.entity_id and old is not None and new is not None:
            heard.append((old.state, new.state))

    hass.bus.async_listen(EVENT_STATE_CHANGED, listen)
    await meter.show(3)
    await meter.show(4)

    assert heard == [("2", "3"), ("3", "4")]


async def test_a_new_name_of_the_device_stays(
    hass: HomeAssistant, meter: Meter, alone: Alone
) -> None:
    await meter.show(3)
    dr.async_get(hass).async_update_device(meter.device_id, name_by_user="Boiler")
    await hass.async_block_till_done()

    assert (await meter.show(4)).name == "Boiler Power"
    assert (await meter.show(5)).name == "Boiler Power"
    # After the new name one write was whole.
    assert alone.times == 2


async def test_a_new_entity_id_is_written_to(
    hass: HomeAssistant, meter: Meter, alone: Alone
) -> None:
    await meter.show(3)
    old, meter.entity_id = meter.entity_id, "sensor.boiler"
    er.async_get(hass).async_update_entity(old, new_entity_id=meter.entity_id)
    await until(hass, lambda: hass.states.get(meter.entity_id) is not None)

    await meter.show(4)
    await meter.show(5)
    assert hass.states.get(old) is None
    # Of three numbers the first under the new id was written whole.
    assert alone.times == 2


async def test_a_chosen_unit_has_every_number_converted(
    hass: HomeAssistant, meter: Meter, alone: Alone
) -> None:
    er.async_get(hass).async_update_entity_options(
        meter.entity_id, "sensor", {"unit_of_measurement": "kW"}
    )
    await until(hass, lambda: meter.state.attributes["unit_of_measurement"] == "kW")

    await meter.show(4000, shown="4.0")
    await meter.show(5000, shown="5.0")
    assert alone.times == 0


async def test_a_number_in_another_unit_is_converted(meter: Meter, alone: Alone) -> None:
    state = await meter.show(1.5, "kW", shown="1500.0")
    assert state.attributes["unit_of_measurement"] == "W"
    await meter.show(7)
    assert alone.times == 1


async def test_what_nobody_is_told_of_shows_within_a_minute(
    hass: HomeAssistant, meter: Meter, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await meter.show(3)
    hass.data[DATA_CUSTOMIZE] = EntityValues({meter.entity_id: {"icon": "mdi:flash"}})
    assert "icon" not in (await meter.show(4)).attributes

    later = SimpleNamespace(time=lambda: time.time() + 61)
    monkeypatch.setattr("custom_components.homesync.state_writes.time", later)
    assert (await meter.show(5)).attributes["icon"] == "mdi:flash"
    assert (await meter.show(6)).attributes["icon"] == "mdi:flash"
    assert alone.times == 3


async def test_whoever_caused_a_state_is_named(
    hass: HomeAssistant, meter: Meter, alone: Alone
) -> None:
    context = Context()
    hass.bus.async_listen("somebody_acted", ignore)
    hass.bus.async_fire("somebody_acted", context=context)
    meter.entity.async_set_context(context)
    meter.entity.async_write_ha_state()

    assert (await meter.show(3)).context.id == context.id
    assert (await meter.show(4)).context.id == context.id
    assert alone.times == 0
    assert context.origin_event is not None
    assert context.origin_event.event_type == "somebody_acted"


async def test_an_outage_is_not_written_over(
    hass: HomeAssistant, meter: Meter, alone: Alone
) -> None:
    await meter.show(3)
    meter.wire.say("status/online", {"online": False})
    await until(hass, lambda: meter.state.state == "unavailable")
    meter.wire.say("telemetry/power", {"value": 4, "unit": "W"})
    await meter.wire.drained()
    await hass.async_block_till_done()
    assert meter.state.state == "unavailable"

    meter.wire.say("status/online", {"online": True})
    await until(hass, lambda: meter.state.state == "4")
    assert "unit_of_measurement" in (await meter.show(5)).attributes


async def test_what_a_listener_adds_to_a_state_is_gone_with_the_listener(
    hass: HomeAssistant, meter: Meter
) -> None:
    @callback
    def tag(event: Event[EventStateChangedData]) -> None:
        new = event.data["new_state"]
        if new is not None and "tag" not in new.attributes:
            hass.states.async_set(new.entity_id, new.state, {**new.attributes, "tag": "mine"})

    leave = hass.bus.async_listen(EVENT_STATE_CHANGED, tag)
    for value in (3, 4):
        assert (await meter.show(value)).attributes["tag"] == "mine"
    leave()
    assert "tag" not in (await meter.show(5)).attributes


async def test_states_leave_no_work_to_the_garbage_collector(
    hass: HomeAssistant, meter: Meter
) -> None:
    gc.collect()
    gc.disable()
    try:
        for value in range(3, 53):
            await meter.show(value)
        events = sum(
            type(each) is Event and each.data.get("entity_id") == meter.entity_id
            for each in gc.get_objects()
        )
    finally:
        gc.enable()
    # Fifty, if each waited in a ring with its context.
    assert events <= 2


async def test_the_newest_number_is_the_cause_of_what_follows_it(meter: Meter) -> None:
    first = (await meter.show(3)).context
    second = (await meter.show(4)).context
    assert first.id != second.id
    # The logbook asks the context of whatever followed the number for this event.
    assert second.origin_event is not None
    assert second.origin_event.data["new_state"] is meter.state
