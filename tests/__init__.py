"""Tests of HomeSync."""
