"""Tests of what stands between the kernel's maps and Python; most need no kernel."""
