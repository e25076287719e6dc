"""Traces that somebody else recorded to figures: one module a set, each with a fixed protocol; what labels is used as it is."""
