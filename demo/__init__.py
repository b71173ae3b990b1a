"""A real Home Assistant with two households of simulated nodes, see scripts/demo."""
