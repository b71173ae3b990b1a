"""Dialects: how a family of devices uses topics and payloads. Never sees a socket."""
