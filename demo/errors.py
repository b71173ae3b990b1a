"""What stops the demo with a message instead of a traceback."""


class DemoError(Exception):
    """The message is for the person who started it."""
