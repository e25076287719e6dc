"""Labels and name of a pod become its owner: Deployment, StatefulSet, DaemonSet, Job, CronJob or the pod itself.

Controllers put these labels on every pod and build the pod's name from their own. Source: Kubernetes, "Well-Known
Labels, Annotations and Taints", and the name generation of its controllers. Owner references are exact where these
are not; they come with a watch of the API, as another `Owners`.
"""

from __future__ import annotations

import re

from sensor.identity.facts import Owner, Pod

SUFFIX = "[a-z0-9]{5}"  # what generateName appends
JOB = ("batch.kubernetes.io/job-name", "job-name")
ORDINAL = ("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index")
TEMPLATES = (("rollouts-pod-template-hash", "Rollout"), ("pod-template-hash", "Deployment"))
SCHEDULED = re.compile(r"(.+)-(\d{8})")  # a CronJob names its jobs by the minute since 1970, 8 digits from 1989 to 2160


class LabelOwners:
    """Owners by label and name alone.

    >>> LabelOwners().owner(Pod("shop", "cart-7c9f8d6b5-abcde", {"pod-template-hash": "7c9f8d6b5"})).name
    'cart'
    """

    def owner(self, pod: Pod) -> Owner | None:
        """The owner; None where labels promise one that the name does not spell, as when a long name was cut."""
        labels = pod.labels
        for label, kind in TEMPLATES:
            if labels.get(label):
                return _templated(pod, label, kind)
        if any(label in labels for label in ORDINAL):
            return _stripped(pod, "StatefulSet", r"-\d+")
        if job := next((labels[label] for label in JOB if labels.get(label)), ""):
            return _job(job)
        if "controller-revision-hash" in labels:
            return _stripped(pod, "DaemonSet", f"-{SUFFIX}")
        return Owner("Pod", pod.name, None, "no label of a controller")


def _templated(pod: Pod, label: str, kind: str) -> Owner | None:
    template = pod.labels[label]
    match = re.fullmatch(rf"(.+)-{re.escape(template)}-{SUFFIX}", pod.name)
    return Owner(kind, match[1], template, f"{label} and pod name") if match else None


def _stripped(pod: Pod, kind: str, suffix: str) -> Owner | None:
    """An owner named like the pod without its suffix, whose revision is a ControllerRevision."""
    match = re.fullmatch(f"(.+){suffix}", pod.name)
    if not match:
        return None
    revision = pod.labels.get("controller-revision-hash") or None
    return Owner(kind, match[1], revision and revision.removeprefix(f"{match[1]}-"), f"labels of a {kind} and pod name")


def _job(job: str) -> Owner:
    scheduled = SCHEDULED.fullmatch(job)
    if scheduled:
        return Owner("CronJob", scheduled[1], None, "inferred: the job's name ends like a CronJob's")
    return Owner("Job", job, None, "job-name")
