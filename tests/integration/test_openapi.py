"""docs/openapi.json describes the API that is really served."""

import asyncio
import json
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from hypothesis import HealthCheck, Phase, given, settings
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from schemathesis import Case, GenerationMode, openapi
from schemathesis.core.result import Ok

from custom_components.homesync.http_api import VIEWS
from tests.broker import Mosquitto

from .conftest import SetUp, StartNode
from .lookup import is_connected, state
from .waiting import until

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())
SCHEMA = openapi.from_path(FILE)
OPERATIONS = [each.ok() for each in SCHEMA.get_all_operations() if isinstance(each, Ok)]
HOUSEHOLDS = ("villa", "cabin", "entry_villa", "entry_barn", "nowhere")
EXAMPLES = 10


@pytest.fixture
async def server(
    hass: HomeAssistant,
    mosquitto: Mosquitto,
    set_up: SetUp,
    start_node: StartNode,
    hass_client: ClientSessionGenerator,
) -> str:
    """A household with a node, one without a broker, and one that does not run."""
    villa = await set_up(mosquitto.port)
    cabin = await set_up(1, "cabin", title="Cabin")
    barn = await set_up(mosquitto.port, "barn", title="Barn")
    await start_node(relay_on=False)
    await until(hass, lambda: state(hass, villa, "switch", "plug-1", "status/relay") == "off")
    await until(hass, lambda: not is_connected(hass, cabin))
    assert await hass.config_entries.async_unload(barn.entry_id)
    client = await hass_client()
    return str(client.make_url("")).rstrip("/")


def test_all_that_is_served_is_described() -> None:
    assert set(DOCUMENT["paths"]) == {view.url for view in VIEWS}
    assert len(OPERATIONS) == len(VIEWS)


# Schemathesis draws from it while it builds negative cases.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.label)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_answers_are_as_described_whatever_is_asked(
    server: str, hass_access_token: str, operation: Any, mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Bearer {hass_access_token}"}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(base_url=server, headers=headers)

    await asyncio.to_thread(ask)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.label)
@pytest.mark.parametrize("household", HOUSEHOLDS)
async def test_answers_about_households_are_as_described(
    server: str, hass_access_token: str, operation: Any, household: str
) -> None:
    headers = {"Authorization": f"Bearer {hass_access_token}"}
    chosen = {"household_id": household}
    in_path = "{household_id}" in operation.path
    takes_query = bool(operation.query)
    case = operation.Case(
        path_parameters=chosen if in_path else {}, query=chosen if takes_query else {}
    )

    answer = await asyncio.to_thread(case.call_and_validate, base_url=server, headers=headers)

    asked = in_path or takes_query
    assert answer.status_code == (404 if asked and household == "nowhere" else 200)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.label)
async def test_refusals_are_as_described(
    hass: HomeAssistant,
    *,
    server: str,
    hass_read_only_access_token: str,
    operation: Any,
) -> None:
    case = operation.Case(path_parameters={"household_id": "villa"})

    for token, status in ((hass_read_only_access_token, 403), ("nonsense", 401)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await asyncio.to_thread(case.call, base_url=server, headers=headers)
        assert answer.status_code == status
        case.validate_response(answer, headers=headers)
