"""One MQTT connection over time: bytes and packets, never the meaning of a topic."""
