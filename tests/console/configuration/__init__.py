"""Tests of the text of a configuration."""
