"""Random commands to misbehaving nodes while brokers and Home Assistant die; then accounts."""
