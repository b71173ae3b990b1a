"""Setting a household up, changing it, new credentials, options.

Each way ends in the same step: the broker is tried for real, and after a failure the
form comes back with what was typed. A password is never sent back to the browser.
"""

import asyncio
from collections.abc import Mapping
import logging
import secrets
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.typing import VolDictType
from homeassistant.util import slugify
import voluptuous as vol

from .client import (
    Cause,
    ConnectError,
    HomeSyncDialect,
    InvalidSettingError,
    Timing,
    check_home_id,
    check_prefix,
    preflight,
)
from .const import (
    CONF_CLIENT_ID,
    CONF_GRACE_TIME,
    CONF_HOME_ID,
    CONF_MAX_NODES,
    CONF_PREFIX,
    CONF_TLS,
    DEFAULT_GRACE_TIME,
    DEFAULT_MAX_NODES,
    DEFAULT_PORT,
    DEFAULT_PREFIX,
    DOMAIN,
)
from .coordinator import broker_settings

_LOGGER = logging.getLogger(__name__)

_TEXT = TextSelector()
_PASSWORD = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="new-password")
)
_CREDENTIALS: VolDictType = {
    vol.Optional(CONF_USERNAME): _TEXT,
    vol.Optional(CONF_PASSWORD): _PASSWORD,
}
_BROKER: VolDictType = {
    vol.Required(CONF_HOST): _TEXT,
    vol.Required(CONF_PORT, default=DEFAULT_PORT): cv.port,
    vol.Required(CONF_TLS, default=True): bool,
    **_CREDENTIALS,
    vol.Required(CONF_PREFIX, default=DEFAULT_PREFIX): _TEXT,
}
_SCHEMAS = {
    "user": vol.Schema(
        {vol.Required(CONF_NAME): _TEXT, vol.Optional(CONF_HOME_ID): _TEXT, **_BROKER}
    ),
    "reconfigure": vol.Schema(_BROKER),
    "reauth_confirm": vol.Schema(_CREDENTIALS),
}
_FIELDS = {
    Cause.CANNOT_RESOLVE: CONF_HOST,
    Cause.UNREACHABLE: CONF_HOST,
    Cause.REFUSED: CONF_PORT,
    Cause.CREDENTIALS: CONF_PASSWORD,
}
"""Where an error is shown; those of other causes are shown above the form."""


class HomeSyncConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets one household up."""

    VERSION = 1

    def __init__(self) -> None:
        self._form = "user"
        self._typed: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        self._detail = ""
        self._try: asyncio.Task[None] | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        return HomeSyncOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for everything that a new household needs."""
        if user_input is None:
            return self._show("user")
        self._typed.pop(CONF_HOME_ID, None)
        self._take(user_input)
        if not self._typed.get(CONF_HOME_ID):
            self._typed[CONF_HOME_ID] = slugify(self._typed[CONF_NAME], separator="-")[:64]
        if not self._typed[CONF_NAME]:
            self._typed[CONF_NAME] = self._typed[CONF_HOME_ID]
        self._typed[CONF_CLIENT_ID] = f"homesync_{self._typed[CONF_HOME_ID]}_{secrets.token_hex(4)}"
        return await self._check_and_connect("user")

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another way to the broker of a household."""
        self._start_from_entry(self._get_reconfigure_entry())
        if user_input is None:
            return self._show("reconfigure")
        self._take(user_input)
        return await self._check_and_connect("reconfigure")

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin when the broker refuses the credentials."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for new credentials."""
        self._start_from_entry(self._get_reauth_entry())
        if user_input is None:
            return self._show("reauth_confirm")
        self._take(user_input)
        return await self._check_and_connect("reauth_confirm")

    @callback
    @override
    def async_remove(self) -> None:
        """Give the try up when the dialog is closed."""
        if self._try is not None:
            self._try.cancel()

    async def async_step_connect(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Try the broker, showing that it is being tried."""
        if self._try is None:
            # Never done at once: the same form would be sent again, for ever.
            self._try = self.hass.async_create_task(self._connect(), eager_start=False)
        if not self._try.done():
            return self.async_show_progress(
                step_id="connect",
                progress_action="connect",
                progress_task=self._try,
                description_placeholders=self._placeholders(),
            )
        task, self._try = self._try, None
        try:
            await task
        except ConnectError as err:
            self._errors = {_FIELDS.get(err.cause, "base"): err.cause.value}
            self._detail = str(err)
        except Exception:
            _LOGGER.exception("Unexpected failure while a broker was tried")
            self._errors = {"base": "unknown"}
        return self.async_show_progress_done(next_step_id=self._form if self._errors else "finish")

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Keep what worked."""
        data = {key: value for key, value in self._typed.items() if key != CONF_NAME}
        if self.source in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return self._update(data)
        return self.async_create_entry(
            title=self._typed[CONF_NAME],
            data=data,
            description="ready",
            description_placeholders=self._placeholders(),
        )

    def _update(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Change the entry; its listener reloads it if anything is new."""
        reauth = self.source == SOURCE_REAUTH
        entry = self._get_reauth_entry() if reauth else self._get_reconfigure_entry()
        if data == entry.data:
            # The broker has come round by itself; the household waits long before it tries.
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return self.async_update_and_abort(entry, unique_id=_unique_id(data), data=data)

    async def _check_and_connect(self, form: str) -> ConfigFlowResult:
        """Check what was typed; then try the broker, or show the form again."""
        self._errors = {}
        self._detail = ""
        for field, check in ((CONF_HOME_ID, check_home_id), (CONF_PREFIX, check_prefix)):
            try:
                check(self._typed[field])
            except InvalidSettingError as err:
                self._errors[err.field] = f"invalid_{err.field}"
        if not self._errors and await self._is_taken():
            self._errors[CONF_HOME_ID] = "home_id_taken"
        if self._errors:
            return self._show(form)
        self._form = form
        return await self.async_step_connect()

    async def _is_taken(self) -> bool:
        """Whether another entry has this household already."""
        wanted = _unique_id(self._typed)
        if self.source == SOURCE_USER:
            await self.async_set_unique_id(wanted, raise_on_progress=False)
        own = self.context.get("entry_id")
        return any(
            entry.unique_id == wanted and entry.entry_id != own
            for entry in self._async_current_entries(include_ignore=False)
        )

    async def _connect(self) -> None:
        dialect = HomeSyncDialect(self._typed[CONF_PREFIX], self._typed[CONF_HOME_ID])
        await preflight(
            broker_settings(self._typed),
            [(wanted.topic_filter, wanted.qos) for wanted in dialect.subscriptions],
            Timing(),
        )

    def _show(self, form: str) -> ConfigFlowResult:
        fields = {str(marker) for marker in _SCHEMAS[form].schema}
        errors = {
            field if field in fields else "base": error for field, error in self._errors.items()
        }
        shown = {key: value for key, value in self._typed.items() if key != CONF_PASSWORD}
        return self.async_show_form(
            step_id=form,
            data_schema=self.add_suggested_values_to_schema(_SCHEMAS[form], shown),
            errors=errors,
            description_placeholders=self._placeholders(),
        )

    def _placeholders(self) -> dict[str, str]:
        return {
            "detail": self._detail,
            "name": str(self._typed.get(CONF_NAME, "")),
            "home_id": str(self._typed.get(CONF_HOME_ID, "")),
            "host": str(self._typed.get(CONF_HOST, "")),
            "prefix": str(self._typed.get(CONF_PREFIX, "")),
        }

    def _start_from_entry(self, entry: ConfigEntry) -> None:
        if not self._typed:
            self._typed = {CONF_NAME: entry.title, **entry.data}

    def _take(self, user_input: dict[str, Any]) -> None:
        """Take what was typed; an empty password keeps the one that is known."""
        typed = {
            key: value.strip() if isinstance(value, str) and key != CONF_PASSWORD else value
            for key, value in user_input.items()
        }
        password = typed.get(CONF_PASSWORD) or self._typed.get(CONF_PASSWORD)
        for optional in (CONF_USERNAME, CONF_PASSWORD):
            self._typed.pop(optional, None)
        self._typed |= typed
        if self._typed.get(CONF_USERNAME) and password:
            self._typed[CONF_PASSWORD] = password
        else:
            self._typed.pop(CONF_PASSWORD, None)


def _unique_id(data: Mapping[str, Any]) -> str:
    """Return what no two entries may share: the home id on one broker."""
    return f"{data[CONF_HOME_ID]}@{data[CONF_HOST].lower()}:{data[CONF_PORT]}"


class HomeSyncOptionsFlow(OptionsFlow):
    """How a household behaves."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for all options; the entry's listener reloads it."""
        if user_input is not None:
            return self.async_create_entry(data={key: int(user_input[key]) for key in user_input})
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_OPTIONS, self.config_entry.options),
        )


def _count(low: int, high: int, unit: str | None = None) -> NumberSelector:
    config = NumberSelectorConfig(min=low, max=high, step=1, mode=NumberSelectorMode.BOX)
    if unit is not None:
        config["unit_of_measurement"] = unit
    return NumberSelector(config)


_OPTIONS = vol.Schema(
    {
        vol.Required(CONF_GRACE_TIME, default=DEFAULT_GRACE_TIME): _count(0, 3600, "s"),
        vol.Required(CONF_MAX_NODES, default=DEFAULT_MAX_NODES): _count(1, 1000),
    }
)
