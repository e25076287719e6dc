"""Configuration file and environment to the settings of each program: strict, bounded, the only place that reads either.

A key that is not in `KEYS` is an error with its line and the nearest right key. `DRIFTLINE_SENSOR_INTERVAL=5` overrides
`sensor.interval`. Each program gets its own frozen settings from here and reads nothing itself.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.configuration.keys import KEYS, variable
from console.configuration.nodes import text_of
from console.configuration.sections import parse
from console.configuration.values import SettingsError, checked

if TYPE_CHECKING:
    from classifier.settings import ClassifierSettings
    from guard.audit.attendant import AuditSettings
    from sensor.identity.settings import IdentitySettings
    from sensor.settings import OriginalsSettings, SensorSettings

DEFAULT_PATH = Path("/etc/driftline/driftline.yaml")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every key with its value, from the file, the environment or the default."""

    values: Mapping[str, Any]
    path: Path | None = None  # None: no file was read

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @property
    def node(self) -> str:
        """The name of this machine."""
        return self["node"] or socket.gethostname()

    def sensor(self, **wanted: Any) -> SensorSettings:
        """Settings of the sensor; what the command line `wanted` goes before the file."""
        from sensor.probes.pins import NAME
        from sensor.settings import CaptureSettings, SensorSettings, Sizes

        told = self._below("sensor.") | {"node": self.node} | {k: v for k, v in wanted.items() if v is not None}
        if not NAME.fullmatch(told["name"]):  # it becomes part of paths
            raise SettingsError(f"{told['name']!r:.60} is no name for a sensor; use lower-case letters, digits and '-'")
        return SensorSettings(
            sizes=Sizes(**self._below("sensor.sizes.")),
            capture=CaptureSettings(**self._below("sensor.capture."), originals=self._originals()),
            doors=self._doors(),
            identity=self._identity(),
            **told
            | {
                "scope": cgroup_directory(told["scope"]) if told["scope"] else None,
                "run_dir": Path(told["run_dir"]),
                "socket": Path(told["socket"] or f"{self['run_dir']}/classifier.sock"),
            },
        )

    def classifier(self, **wanted: Any) -> ClassifierSettings:
        """Settings of the classifier; what the command line `wanted` goes before the file."""
        from classifier.settings import ClassifierSettings, HttpLimits, OtlpLimits, Retention
        from console.cli.policies import named

        told = self._below("classifier.") | {k: v for k, v in wanted.items() if v is not None}
        http, retention = self._below("classifier.http."), self._below("classifier.retention.")
        otlp = self._below("otlp.")
        listens, address = otlp.pop("enabled"), otlp.pop("address")
        run_dir = Path(self["run_dir"])
        return ClassifierSettings(
            state_dir=Path(self["state_dir"]),
            socket_path=Path(told["socket"] or run_dir / "classifier.sock"),
            control_path=self.control_path,
            policy=named(told["policy"], told["time_scale"] if told["time_scale"] != 1 else None),
            http_address=http.pop("address"),
            keys_file=_path_or_none(told["keys_file"]),
            folder=_path_or_none(told["folder"]),
            metrics_address=told["metrics_address"],
            trace_path=_path_or_none(told["trace"]),
            systemd=told["systemd"] or None,
            sensor_uids=told["sensor_uids"],
            socket_group=told["socket_group"] or None,
            retention=Retention(**retention),
            http=HttpLimits(**http),
            otlp_address=address if listens else None,
            otlp=OtlpLimits(**otlp),
            stop_within=told["stop_within"],
        )

    def audit(self) -> AuditSettings | None:
        """Settings of the audit trail; None where none is kept."""
        from guard.audit.attendant import AuditSettings

        if not self["audit.keep"]:
            return None
        told = self._below("audit.")
        key = Path(told["key"] or self.audit_dir / "key.pem")
        return AuditSettings(self.audit_dir, key, told["days"], told["silence"], told["answer"], told["max_bytes"])

    @property
    def audit_dir(self) -> Path:
        """The folder of the audit trail."""
        return Path(self["audit.dir"] or f"{self['state_dir']}/audit")

    @property
    def control_path(self) -> Path:
        """The socket that answers questions."""
        return Path(self["classifier.control"] or f"{self['run_dir']}/control.sock")

    def _doors(self) -> tuple[int, ...]:
        """Ports of the classifier's receivers, as far as a container could reach them."""
        reached = [self["classifier.http.address"], self["otlp.address"] if self["otlp.enabled"] else None]
        return tuple(sorted({port for host, port in filter(None, reached) if not _is_loopback(host)}))

    def _originals(self) -> OriginalsSettings:
        from sensor.settings import OriginalsSettings

        told = self._below("sensor.capture.originals.")
        if told["recipients"]:
            from sensor.originals.sealing import SealingError, sealer

            try:
                sealer(told["recipients"])
            except SealingError as e:
                raise SettingsError(f"sensor.capture.originals.recipients: {e}") from e
        return OriginalsSettings(folder=Path(told.pop("dir")), **told)

    def _below(self, prefix: str) -> dict[str, Any]:
        """The keys of one section, without its name; sections inside it left out."""
        found = {k.removeprefix(prefix): v for k, v in self.values.items() if k.startswith(prefix)}
        return {k: v for k, v in found.items() if "." not in k}

    def _identity(self) -> IdentitySettings:
        from sensor.identity.settings import IdentitySettings

        return IdentitySettings(**self._below("identity."))


def _is_loopback(host: str) -> bool:
    """Whether only this network namespace reaches a listener on it; a name may stand for any address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _path_or_none(text: str | None) -> Path | None:
    return Path(text) if text else None


def load(path: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of a file and the environment; without a path, of the default file if it exists.

    Raises:
        SettingsError: The file or a variable holds what no program could use.
    """
    values = {name: key.default for name, key in KEYS.items()}
    chosen = Path(path) if path else (DEFAULT_PATH if DEFAULT_PATH.exists() else None)
    if chosen is not None:
        values |= parse(text_of(chosen), str(chosen))
    values |= from_environment(os.environ if environment is None else environment)
    return Settings(values, chosen)


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The keys that variables set. Unknown DRIFTLINE_ names stay: an orchestrator may add its own."""
    found = {}
    for name, key in KEYS.items():
        text = environment.get(variable(name))
        if text is not None and key.kind != "rules":
            found[name] = checked(name, text, variable(name)) if text else key.default
    return found


def cgroup_directory(scope: str | Path, mounts: Path = Path("/proc/self/mountinfo")) -> Path:
    """The directory of a cgroup, named by it or by the path below the root of the cgroup v2 hierarchy."""
    roots = [fields[4] for line in mounts.read_text().splitlines() if (fields := line.split()) and "cgroup2" in fields]
    for root in roots:
        if Path(scope).is_relative_to(root):
            return Path(scope)
    if not roots:
        raise SettingsError("no cgroup v2 hierarchy is mounted here; mount one, or leave the scope out")
    return Path(roots[0]) / str(scope).lstrip("/")
