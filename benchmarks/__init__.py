"""Measures HomeSync beside Home Assistant's own MQTT integration: scripts/bench --help."""
