"""Tests of the reference node, against a real broker."""
