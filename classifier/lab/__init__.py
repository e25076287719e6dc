"""Fleets that never were, and what is known of them: here randomness is allowed, and nothing that labels is imported."""
