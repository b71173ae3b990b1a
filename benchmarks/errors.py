"""What goes wrong while measuring."""


class BenchError(Exception):
    """A measurement could not be made; the text says why."""
