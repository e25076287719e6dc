"""A real node of pods, observed by the whole product: what was done in them beside what driftline said."""
