"""The set-up in a real browser."""
