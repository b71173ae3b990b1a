"""Setting a household up, changing it, new credentials, discoveries, options.

Each way to a broker ends in the same steps: it is tried for real, and after a failure
the form comes back with what was typed. No secret is ever sent back to the browser.
"""

import asyncio
from collections.abc import Mapping
import logging
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_HOST, CONF_NAME, CONF_PASSWORD, CONF_PORT, CONF_USERNAME
from homeassistant.core import callback
from homeassistant.helpers.service_info.mqtt import MqttServiceInfo
from homeassistant.helpers.typing import DiscoveryInfoType
from homeassistant.util import slugify

from .broker import (
    async_broker_settings,
    check_host,
    entry_unique_id,
    learned_data,
    new_client_id,
    timing,
)
from .broker_form import REAUTH_SCHEMA, SECTIONS, broker_schema, flatten, nest, preset_values
from .client import (
    PRESETS,
    Cause,
    ConnectError,
    HomeSyncDialect,
    InvalidSettingError,
    PreflightReport,
    check_home_id,
    check_prefix,
    preflight,
    subscriptions_of,
)
from .const import (
    CONF_ACCEPTED_NODES,
    CONF_CLIENT_CERTIFICATE,
    CONF_CLIENT_ID,
    CONF_CLIENT_ID_BASE,
    CONF_HOME_ID,
    CONF_PREFIX,
    CONF_PRESET,
    DEFAULT_CLIENT_ID_BASE,
    DEFAULT_PRESET,
    DOMAIN,
)
from .coordinator import configuration
from .home_assistant_broker import broker_of_home_assistant
from .options_flow import HomeSyncOptionsFlow

_LOGGER = logging.getLogger(__name__)

# Seconds. A browser begins to listen for the end only when it shows the progress; of an
# earlier end it never hears.
_PROGRESS_LASTS = 1.0
_HOME_ASSISTANT = "home_assistant"
_CHECKS = (
    (CONF_HOME_ID, check_home_id),
    (CONF_PREFIX, check_prefix),
    (CONF_HOST, check_host),
)
_FIELDS = {
    Cause.CANNOT_RESOLVE: CONF_HOST,
    Cause.UNREACHABLE: CONF_HOST,
    Cause.TLS_WRONG_HOST: CONF_HOST,
    Cause.REFUSED: CONF_PORT,
    Cause.CREDENTIALS: CONF_PASSWORD,
}
"""Where an error is shown; those of other causes are shown above the form."""


class HomeSyncConfigFlow(ConfigFlow, domain=DOMAIN):
    """Sets one household up."""

    VERSION = 1

    def __init__(self) -> None:
        self._form = "broker"
        self._preset = DEFAULT_PRESET
        self._typed: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        self._detail = ""
        self._try: asyncio.Task[PreflightReport] | None = None
        self._report: PreflightReport | None = None
        self._node: tuple[ConfigEntry, str] | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        return HomeSyncOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask what broker it is; the answer fills the form in."""
        options = list(PRESETS)
        if broker_of_home_assistant(self.hass) is not None:
            options.append(_HOME_ASSISTANT)
        return self.async_show_menu(step_id="user", menu_options=options)

    async def async_step_hivemq_cloud(self, user_input: None = None) -> ConfigFlowResult:
        """Begin with HiveMQ Cloud's values."""
        return self._begin("hivemq_cloud")

    async def async_step_emqx_cloud(self, user_input: None = None) -> ConfigFlowResult:
        """Begin with EMQX Cloud's values."""
        return self._begin("emqx_cloud")

    async def async_step_aws_iot(self, user_input: None = None) -> ConfigFlowResult:
        """Begin with AWS IoT Core's values."""
        return self._begin("aws_iot")

    async def async_step_other(self, user_input: None = None) -> ConfigFlowResult:
        """Begin with nothing known."""
        return self._begin("other")

    async def async_step_home_assistant(self, user_input: None = None) -> ConfigFlowResult:
        """Begin with the broker of Home Assistant's own MQTT integration."""
        return self._begin("other", broker_of_home_assistant(self.hass) or {})

    @override
    async def async_step_mqtt(self, discovery_info: MqttServiceInfo) -> ConfigFlowResult:
        """Begin with a household that was heard on Home Assistant's own broker."""
        prefix, home_id, *_ = discovery_info.topic.split("/")
        broker = broker_of_home_assistant(self.hass)
        try:
            check_home_id(home_id)
        except InvalidSettingError:
            return self.async_abort(reason="not_a_household")
        if broker is None:
            return self.async_abort(reason="no_broker")
        values = {**broker, CONF_HOME_ID: home_id, CONF_PREFIX: prefix, CONF_NAME: home_id}
        await self.async_set_unique_id(entry_unique_id(values))
        self._abort_if_unique_id_configured()
        self.context["title_placeholders"] = {"name": home_id}
        return self._begin("other", values)

    @override
    async def async_step_integration_discovery(
        self, discovery_info: DiscoveryInfoType
    ) -> ConfigFlowResult:
        """Begin with a node that a household heard for the first time."""
        entry = self.hass.config_entries.async_get_known_entry(discovery_info["entry_id"])
        node_id = discovery_info["node_id"]
        await self.async_set_unique_id(f"{entry.entry_id}/{node_id}")
        self._abort_if_unique_id_configured()
        self._node = (entry, node_id)
        self.context["title_placeholders"] = {"name": f"{entry.title} {node_id}"}
        return await self.async_step_node()

    async def async_step_node(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether a node belongs to the household."""
        assert self._node is not None  # noqa: S101 - set by the only step that leads here
        entry, node_id = self._node
        if self.hass.config_entries.async_get_entry(entry.entry_id) is None:
            return self.async_abort(reason="household_removed")
        if user_input is None:
            placeholders = {"node": node_id, "household": entry.title}
            return self.async_show_form(step_id="node", description_placeholders=placeholders)
        accepted = [*entry.data.get(CONF_ACCEPTED_NODES, ()), node_id]
        data = {**entry.data, CONF_ACCEPTED_NODES: accepted}
        self.hass.config_entries.async_update_entry(entry, data=data)
        return self.async_abort(reason="node_added")

    async def async_step_broker(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for everything that a new household needs."""
        if user_input is None:
            return self._show("broker")
        self._typed = flatten(user_input, self._typed)
        if not self._typed.get(CONF_HOME_ID):
            name = self._typed.get(CONF_NAME, "")
            self._typed[CONF_HOME_ID] = slugify(name, separator="-")[:64]
        self._typed.setdefault(CONF_NAME, self._typed[CONF_HOME_ID])
        self._typed[CONF_PRESET] = self._preset
        self._typed[CONF_CLIENT_ID] = new_client_id(self._typed)
        return await self._check_and_connect("broker")

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for another way to the broker of a household."""
        entry = self._get_reconfigure_entry()
        self._start_from(entry)
        if user_input is None:
            return self._show("reconfigure")
        known = self._typed
        self._typed = _fixed(known) | flatten(user_input, known)
        if _client_id_base(self._typed) != _client_id_base(known):
            self._typed[CONF_CLIENT_ID] = new_client_id(self._typed)
        return await self._check_and_connect("reconfigure")

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin when the broker refuses the credentials."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for new credentials."""
        self._start_from(self._get_reauth_entry())
        if user_input is None:
            return self._show("reauth_confirm")
        known = {key: value for key, value in self._typed.items() if key != CONF_USERNAME}
        self._typed = known | flatten({**known, **user_input}, known)
        if not self._typed.get(CONF_USERNAME):
            self._typed.pop(CONF_PASSWORD, None)
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
            self._try = self.hass.async_create_task(self._connect_visibly(), eager_start=False)
        if not self._try.done():
            return self.async_show_progress(
                step_id="connect",
                progress_action="connect",
                progress_task=self._try,
                description_placeholders=self._placeholders(),
            )
        task, self._try = self._try, None
        try:
            self._report = await task
        except ConnectError as err:
            self._errors = {_FIELDS.get(err.cause, "base"): err.cause.value}
            self._detail = str(err)
        except InvalidSettingError as err:
            self._errors = {"base": f"invalid_{err.field}"}
        except Exception:
            _LOGGER.exception("Unexpected failure while a broker was tried")
            self._errors = {"base": "unknown"}
        else:
            unproven = bool(self._report.echo.unproven)
            return self.async_show_progress_done(next_step_id="unproven" if unproven else "finish")
        return self.async_show_progress_done(next_step_id=self._form)

    async def async_step_unproven(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Tell what did not come back; go on all the same, or change the settings."""
        assert self._report is not None  # noqa: S101 - set by the only step that leads here
        return self.async_show_menu(
            step_id="unproven",
            menu_options=["finish", self._form],
            description_placeholders={"filters": "\n- ".join(("", *self._report.echo.unproven))},
        )

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Keep what worked."""
        assert self._report is not None  # noqa: S101 - set by every step that leads here
        data = {key: value for key, value in self._typed.items() if key != CONF_NAME}
        data |= learned_data(self._report.learned)
        if self.source in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            return self._update(data)
        # Asked for twice in one moment, this step would replace the entry that it has just made.
        self._abort_if_unique_id_configured()
        return self.async_create_entry(
            title=self._typed[CONF_NAME],
            data=data,
            description="ready",
            description_placeholders=self._placeholders(),
        )

    def _begin(self, preset: str, values: Mapping[str, Any] | None = None) -> ConfigFlowResult:
        self._preset = preset
        self._typed = {**preset_values(preset), **(values or {})}
        return self._show("broker")

    def _update(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Change the entry; its listener, if it is loaded, reloads it if anything is new."""
        reauth = self.source == SOURCE_REAUTH
        entry = self._get_reauth_entry() if reauth else self._get_reconfigure_entry()
        before = configuration(entry)
        result = self.async_update_and_abort(entry, unique_id=entry_unique_id(data), data=data)
        if entry.state is not ConfigEntryState.LOADED or configuration(entry) == before:
            # The broker has come round by itself; the household waits long before it tries.
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return result

    async def _check_and_connect(self, form: str) -> ConfigFlowResult:
        """Check what was typed; then try the broker, or show the form again."""
        self._errors = {}
        self._detail = ""
        self._form = form
        for field, check in _CHECKS:
            try:
                check(self._typed.get(field, ""))
            except InvalidSettingError as err:
                self._errors[err.field] = f"invalid_{err.field}"
        if CONF_HOST in self._errors:
            # What stands before an @ may be a password, which must not come back.
            self._typed[CONF_HOST] = self._typed.get(CONF_HOST, "").rpartition("@")[2]
        needs_certificate = PRESETS[self._typed[CONF_PRESET]].needs_client_certificate
        if needs_certificate and CONF_CLIENT_CERTIFICATE not in self._typed:
            self._errors["base"] = "client_certificate_missing"
        if not self._errors and await self._is_taken():
            self._errors[CONF_HOME_ID] = "home_id_taken"
        if self._errors:
            return self._show(form)
        return await self.async_step_connect()

    async def _is_taken(self) -> bool:
        """Whether another entry has this household already."""
        wanted = entry_unique_id(self._typed)
        if self.source not in (SOURCE_REAUTH, SOURCE_RECONFIGURE):
            await self.async_set_unique_id(wanted, raise_on_progress=False)
        own = self.context.get("entry_id")
        return any(
            entry.unique_id == wanted and entry.entry_id != own
            for entry in self._async_current_entries(include_ignore=False)
        )

    async def _connect_visibly(self) -> PreflightReport:
        tried, _ = await asyncio.gather(
            self._connect(), asyncio.sleep(_PROGRESS_LASTS), return_exceptions=True
        )
        if isinstance(tried, BaseException):
            raise tried
        return tried

    async def _connect(self) -> PreflightReport:
        dialect = HomeSyncDialect(self._typed[CONF_PREFIX], self._typed[CONF_HOME_ID])
        broker = await async_broker_settings(self.hass, self._typed, {})
        return await preflight(broker, subscriptions_of(dialect), timing({}))

    def _show(self, form: str) -> ConfigFlowResult:
        schema = (
            REAUTH_SCHEMA
            if form == "reauth_confirm"
            else broker_schema(
                self._preset,
                new=form == "broker",
                typed=self._typed,
                error=next(iter(self._errors.values()), ""),
            )
        )
        fields = {str(marker) for marker in schema.schema}.difference(SECTIONS)
        errors = {
            field if field in fields else "base": error for field, error in self._errors.items()
        }
        return self.async_show_form(
            step_id=form,
            data_schema=self.add_suggested_values_to_schema(schema, nest(self._typed, schema)),
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

    def _start_from(self, entry: ConfigEntry) -> None:
        if not self._typed:
            self._typed = {CONF_PRESET: DEFAULT_PRESET, CONF_NAME: entry.title, **entry.data}
            self._preset = self._typed[CONF_PRESET]


def _fixed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what no form of a known household changes."""
    keys = (CONF_NAME, CONF_PRESET, CONF_HOME_ID, CONF_CLIENT_ID, CONF_ACCEPTED_NODES)
    return {key: data[key] for key in keys if key in data}


def _client_id_base(data: Mapping[str, Any]) -> str:
    """Return what the client id begins with; older entries do not tell."""
    base: str = data.get(CONF_CLIENT_ID_BASE, DEFAULT_CLIENT_ID_BASE)
    return base
