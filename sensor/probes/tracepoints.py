"""The tracepoints of a probe to those that this kernel has: the first of their names that hands over what the program takes.

A name alone is not enough: `io_uring_submit_sqe` handed over a ring before Linux 6.0, and since then a request. Standard library
only, for the loader reads it under the distribution's Python.
"""

from __future__ import annotations

from dataclasses import replace

from sensor.probes import btf
from sensor.probes.catalogue import Hook, Probe


def found(probe: Probe) -> tuple[Probe, str]:
    """The probe with the names that this kernel uses, and why it cannot run; "" if it can."""
    if not any(h.hands for h in probe.hooks):
        return probe, ""
    kernel = btf.Kernel()
    try:
        hooks = [_found(kernel, h) for h in probe.hooks]
    finally:
        kernel.close()
    missing = [_names(h) for h, f in zip(probe.hooks, hooks, strict=True) if f is None]
    if missing:
        return probe, f"this kernel has no tracepoint {'; '.join(missing)}, so work inside {probe.name} is not seen"
    return replace(probe, hooks=tuple(h for h in hooks if h is not None)), ""


def _found(kernel: btf.Kernel, hook: Hook) -> Hook | None:
    names = (hook.target, *hook.older) if hook.hands else ()
    name = next((n for n in names if kernel.handed(n) == hook.hands), None)
    if name is not None:
        return replace(hook, target=name, older=())
    return None if hook.hands else hook


def _names(hook: Hook) -> str:
    return f"{' or '.join((hook.target, *hook.older))} that hands over a {hook.hands}"
