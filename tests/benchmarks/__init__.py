"""Tests of what the benchmark computes and prints; nothing is measured here."""
