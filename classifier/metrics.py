"""Prometheus metrics of the daemon itself, read from its parts when somebody asks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from classifier.core import Core
from classifier.inventory.view import rungs
from classifier.store.store import NotNow

PAGE = os.sysconf("SC_PAGE_SIZE")


class Metrics(Collector):
    """One reading per scrape.

    Args:
        clock: seconds since the epoch.
        refused: receiver → reason → count, of everything that was turned away at a door.
        told: part → what it counts besides.
    """

    def __init__(
        self,
        core: Core,
        clock: Callable[[], float],
        refused: Mapping[str, Mapping[str, int]],
        told: Mapping[str, Callable[[], Mapping[str, int]]] | None = None,
    ):
        self._core, self._clock, self._refused, self._told = core, clock, refused, told or {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def page(self) -> bytes:
        """The page in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: names come with the first reading."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        core = self._core
        yield counted("driftline_frames", "Accepted frames.", "kind", core.records)
        yield counted("driftline_lost", "Losses that sensors told, by kind.", "reason", core.lost)
        for door, reasons in self._refused.items():
            yield counted(f"driftline_{door}_refused", f"Turned away by {door}.", "reason", dict(reasons))
        for part, counts in self._told.items():
            yield gauges(f"driftline_{part}", f"What {part} counts.", "what", counts())
        labels = Counter(f.label for f in core.findings())
        yield gauges("driftline_findings", "Findings by their present label.", "label", labels)
        yield from self.coverage()
        yield gauges("driftline_pipeline", "What the pipeline counts.", "what", core.counters())
        yield self._sensors()
        yield from self._state()

    def coverage(self) -> Iterator[Metric]:
        """Whose words are read."""
        stands, lost = self._core.told(rungs)
        yield gauges("driftline_coverage", "Processes of agents by the rung on which they stand.", "rung", stands)
        yield gauges("driftline_uncovered", "Processes of agents whose words nobody reads.", "workload", lost)

    def _sensors(self) -> Metric:
        """What each sensor says of itself; names are those of `sensor/health.py`."""
        metric = GaugeMetricFamily("driftline_sensor", "The sensor's own numbers.", labels=["node", "what"])
        for node, values in sorted(self._core.sensors.items()):
            for what, value in sorted(values.items()):
                metric.add_metric([node, what], value)
        return metric

    def _state(self) -> Iterator[Metric]:
        core = self._core
        if core.last_tick:
            lag = max(0.0, self._clock() - core.last_tick)
            yield GaugeMetricFamily("driftline_lag_seconds", "Age of the latest complete window.", lag)
        yield GaugeMetricFamily("driftline_resident_bytes", "Own resident memory.", resident())
        yield GaugeMetricFamily("driftline_degraded", "1 while a part does not work.", len(core.health.troubles) > 0)
        troubles = dict.fromkeys(core.health.troubles, 1)
        yield gauges("driftline_trouble", "Parts that do not work.", "part", troubles)
        try:
            yield gauges("driftline_store", "Rows of the store, and its bytes.", "what", core.sizes())
        except NotNow:  # a locked database has no numbers; the rest of the page stands
            return


def counted(name: str, help: str, label: str, values: Mapping[str, Any]) -> Metric:
    """A counter with one label."""
    metric = CounterMetricFamily(name, help, labels=[label])
    for value, count in sorted(values.items()):
        metric.add_metric([value], count)
    return metric


def gauges(name: str, help: str, label: str, values: Mapping[str, Any]) -> Metric:
    """A gauge with one label."""
    metric = GaugeMetricFamily(name, help, labels=[label])
    for value, count in sorted(values.items()):
        metric.add_metric([value], count)
    return metric


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
