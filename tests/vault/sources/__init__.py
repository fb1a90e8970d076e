"""Tests of the key sources."""
