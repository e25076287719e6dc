"""Every time and threshold of a judgement, with the published defaults.

The figures of demands.md section 3.3 stand here once; nothing else in the classifier holds a number that changes a
label. Times are seconds of event time.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What a judgement takes into account; ``Policy()`` is production.

    >>> Policy().scaled(DAY).day
    1.0
    """

    # the calendar by which coverage is counted
    hour: float = HOUR
    day: float = DAY

    # learning and convergence
    learn_days: int = 3  # active days before anything but a floor is judged
    converged_days: int = 14  # active days without loss
    open_days: int = 28  # active days after which a workload that is still new every day is non-converging
    expected_new: float = 1.0  # upper 90 % bound of new behaviours a day, below which a workload has converged
    promote_days: int = 3
    promote_replicas: int = 2
    validity: float = 30 * DAY  # how long a converged envelope holds without traffic
    dormant_after: float = 28 * DAY
    forget_after: float = 180 * DAY
    partial_memory: float = 7 * DAY  # how long a loss keeps an envelope partial

    # identities that come late
    park: float = 5.0  # event time a record waits for its identity
    park_limit: int = 20_000  # records that wait at once

    # deploy events
    deploy_before: float = 30 * MINUTE  # a behaviour may precede the announced time by this much
    deploy_after: float = DAY
    relabel: float = DAY  # a deploy event later than this changes no label
    probation: float = DAY  # from an expected evolution to its place in the envelope

    # findings
    settle: float = 15.0  # a deviation waits this long after its window for its companions
    cause_window: float = 2 * HOUR  # deviations of one process tree within this are one cause
    evaluations: tuple[float, ...] = (15 * MINUTE, HOUR, 6 * HOUR, DAY)  # after the first sight
    review_age: float = 7 * DAY
    review_owner: str = "workload owner"

    # quantities
    volume_windows: int = 30  # windows before a bound exists
    volume_floor: int = 16_384  # bytes a window; less is never a volume deviation
    volume_margin: float = 2.0  # of the largest learned window; drift-model 0.3, what an autoscaled pod needs
    volume_z: float = 6.0  # robust z on ln(bytes)
    volume_growth: float = 0.10  # at most this much growth of a learned bound in seven days
    continuity: tuple[float, float] = (
        0.45,
        0.6,
    )  # closeness below which a pattern is broken, from which it is continued
    quiet: float = 0.1  # sessions a day with something new, up to which any undeclared variation is worth a look
    far: float = 12.0  # robust z from which a quantity is out of bounds whatever else is known
    times: float = 10.0  # the same as a multiple of its bound, where the robust z is at least
    unusual: float = 3.5  # this
    exposure_cap: float = 72.0  # hours of one replica's exposure that count

    # bounds of memory, per workload unless said otherwise
    max_workloads: int = 20_000  # in all
    max_behaviours: int = 4096
    max_deviations: int = 1024
    max_members: int = 24  # deviations of one cause; what comes after begins another
    max_lanes: int = 256  # replicas whose cells are kept apart; older ended ones are folded
    max_exposures: int = 4096
    max_grams: int = 1 << 17
    max_profiles: int = 128
    max_quantities: int = 160  # triggers with bounds of their own, at about 450 bytes
    max_findings: int = 2048
    max_deploys: int = 10_000  # in all

    # telemetry of the workload itself; here at the end, for a snapshot holds the fields in order
    feed_silent: float = 30 * MINUTE  # a replica that is active and tells nothing for so long is silent

    def scaled(self, factor: float) -> Policy:
        """The same policy with all times divided by `factor`, down to what a machine needs to do its work.

        A day made a second long does not make a container start 86,400 times faster, so waits for other programs (an
        identity, a rollout after its event, companions of a deviation) keep a floor (`FLOORS`).
        """
        if not factor > 0:
            raise ValueError(f"factor {factor} is not a positive number")
        times = {f.name: getattr(self, f.name) for f in fields(self) if f.type == "float" and f.name not in NOT_TIMES}
        short = {n: max(v / factor, min(v, FLOORS.get(n, 0.0))) for n, v in times.items()}
        return replace(self, **short, evaluations=tuple(t / factor for t in self.evaluations))


NOT_TIMES = frozenset(
    {"expected_new", "volume_margin", "volume_z", "volume_growth", "quiet", "far", "times", "unusual", "exposure_cap"},
)
FLOORS = {  # seconds
    "park": 5.0,
    "settle": 2.0,
    "deploy_before": 10.0,
    "deploy_after": 60.0,
    "relabel": 60.0,
    "probation": 60.0,  # as the window: a late part of a rollout must not open a second finding
    "cause_window": 3.0,
    "review_age": 600.0,
    "dormant_after": 3600.0,
    "forget_after": 7200.0,
    "validity": 3600.0,
}
