"""How a workload is watched: openly, enforced from its first pod, or with an ageing envelope. Takes and returns plain values."""
