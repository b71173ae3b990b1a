"""HomeSync: several households, each with its own MQTT broker."""
