"""What is shown under repairs."""

import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .const import CONF_MAX_NODES, DEFAULT_MAX_NODES, DOMAIN

_LOGGER = logging.getLogger(__name__)


def _node_limit_id(entry: ConfigEntry) -> str:
    return f"node_limit_{entry.entry_id}"


def report_node_limit(hass: HomeAssistant, entry: ConfigEntry, node_id: str) -> None:
    """Report once that the household has more nodes than it may."""
    issue_id = _node_limit_id(entry)
    if ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None:
        return
    limit = entry.options.get(CONF_MAX_NODES, DEFAULT_MAX_NODES)
    _LOGGER.warning(
        "Household %s: node %s refused, the limit of %d nodes is reached",
        entry.title,
        node_id,
        limit,
    )
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key="node_limit",
        translation_placeholders={
            "household": entry.title,
            "limit": str(limit),
            "node": node_id,
        },
    )


def clear_node_limit(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the report back."""
    ir.async_delete_issue(hass, DOMAIN, _node_limit_id(entry))
