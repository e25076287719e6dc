"""The story that `make demo` runs: two agents, their peers, a rollout and a theft."""
