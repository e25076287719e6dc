"""Tests of the simulator: it owes its users determinism and a truth that its streams hold."""
