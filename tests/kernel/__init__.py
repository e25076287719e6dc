"""Tests on the real kernel, each in a cgroup of its own, with known loads."""
