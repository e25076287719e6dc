"""From trigger to effect: what of a workload's events belongs together, and how each link is known. Pure."""
