"""Versions of what the integration stands on."""

from importlib.metadata import version

from homeassistant.core import HomeAssistant


async def async_paho_version(hass: HomeAssistant) -> str:
    """Return paho's version; it is read from disk."""
    return await hass.async_add_executor_job(version, "paho-mqtt")
