"""Tests of the client's way to a broker: MQTT 3.1.1 and 5 over TCP, TLS and WebSocket."""
