"""Recorded sets: tiny ones made here, and the real ones where they are."""
