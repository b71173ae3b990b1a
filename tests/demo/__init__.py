"""Tests of the demo and of the soak."""
