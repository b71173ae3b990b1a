"""The HTTP API for administrators, below `/api/homesync/`; described in docs/openapi.json."""

from http import HTTPStatus
import re
from typing import override

from aiohttp import web
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView

from . import api
from .const import DOMAIN

_ROOT = f"/api/{DOMAIN}"
_HOUSEHOLD_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_PARAMETER = "household_id"


class _BadRequestError(Exception):
    """What was asked for cannot be understood."""


class AdminView(HomeAssistantView):
    """Answers administrators; errors are JSON with `message` and `code`.

    Home Assistant's own decorator answers other users with 401, which counts as a failed
    login and would ban the address of a user who only lacks the right.
    """

    parameters: frozenset[str] = frozenset()

    async def get(self, request: web.Request, household_id: str = "") -> web.Response:
        """Answer, or tell why not."""
        if not request[KEY_HASS_USER].is_admin:
            return self.json_message(
                "Only administrators may do this", HTTPStatus.FORBIDDEN, "forbidden"
            )
        try:
            chosen = self._chosen(request, household_id)
            return self.json(self.answer(request.app[KEY_HASS], chosen))
        except _BadRequestError as err:
            return self.json_message(str(err), HTTPStatus.BAD_REQUEST, "invalid_parameter")
        except api.AmbiguousHouseholdError as err:
            return self.json_message(str(err), HTTPStatus.CONFLICT, err.code)
        except api.UnknownHouseholdError as err:
            return self.json_message(str(err), HTTPStatus.NOT_FOUND, err.code)

    def answer(self, hass: HomeAssistant, household_id: str) -> object:
        """Return what is told; the id is empty if no household is named."""
        raise NotImplementedError

    def _chosen(self, request: web.Request, in_path: str) -> str:
        """Return the household that is named, or raise for what cannot be meant."""
        if not self.parameters.issuperset(request.query):
            raise _BadRequestError(f"Known parameters: {', '.join(self.parameters) or 'none'}")
        named = [in_path] if in_path else request.query.getall(_PARAMETER, [])
        if len(named) > 1 or not all(map(_HOUSEHOLD_ID.fullmatch, named)):
            raise _BadRequestError(f"{_PARAMETER} is one id of letters, digits, _ and -")
        return "".join(named)


class StatsView(AdminView):
    """Everything, or all of one household."""

    url = f"{_ROOT}/stats"
    name = "api:homesync:stats"
    parameters = frozenset((_PARAMETER,))

    @override
    def answer(self, hass: HomeAssistant, household_id: str) -> object:
        return api.stats(api.chosen(hass, household_id or None))


class ConnectionsView(AdminView):
    """The connections of all households, or of one."""

    url = f"{_ROOT}/connections"
    name = "api:homesync:connections"
    parameters = frozenset((_PARAMETER,))

    @override
    def answer(self, hass: HomeAssistant, household_id: str) -> object:
        return api.connections(api.chosen(hass, household_id or None))


class HouseholdsView(AdminView):
    """Which households there are."""

    url = f"{_ROOT}/households"
    name = "api:homesync:households"

    @override
    def answer(self, hass: HomeAssistant, household_id: str) -> object:
        return [api.brief(entry) for entry in api.entries(hass)]


class HouseholdView(AdminView):
    """One household with its figures and nodes."""

    url = f"{_ROOT}/households/{{{_PARAMETER}}}"
    name = "api:homesync:household"

    @override
    def answer(self, hass: HomeAssistant, household_id: str) -> object:
        return api.household(api.find(hass, household_id))


class HouseholdStatusView(AdminView):
    """Whether one household is connected."""

    url = f"{_ROOT}/households/{{{_PARAMETER}}}/status"
    name = "api:homesync:household:status"

    @override
    def answer(self, hass: HomeAssistant, household_id: str) -> object:
        return api.status(api.find(hass, household_id))


VIEWS: tuple[type[AdminView], ...] = (
    StatsView,
    ConnectionsView,
    HouseholdsView,
    HouseholdView,
    HouseholdStatusView,
)


@callback
def async_setup_http_api(hass: HomeAssistant) -> None:
    """Register the views, once."""
    for view in VIEWS:
        hass.http.register_view(view)
