"""Configuration file and environment to settings: strict, bounded, and the only place that reads either.

A key that is not in `KEYS` is an error with its line and the nearest right key. `DRIFTLINE_SENSOR_INTERVAL=5` overrides
`sensor.interval`. Each program gets its own frozen settings from here and reads nothing itself.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classifier.settings import ClassifierSettings
    from guard.audit.attendant import AuditSettings
    from sensor.identity.rules import Rule
    from sensor.identity.settings import IdentitySettings
    from sensor.settings import OriginalsSettings, SensorSettings

DEFAULT_PATH = Path("/etc/driftline/driftline.yaml")
LIMIT = 256 << 10  # bytes of a configuration file; more is a mistake
DEPTH = 8  # nested levels; KEYS needs four
RULES = 256
PATTERN = 512  # characters of one rule's pattern
RULE_KEYS = ("match", "workload", "revision", "name")

Node = Any  # a node of PyYAML, which has no types


class SettingsError(ValueError):
    """A configuration that cannot be used; the message says where and what to do."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it takes, what holds without it, what it does."""

    kind: str  # "text", "path", "whole", "number", "flag", "texts", "patterns", "rules"
    default: Any  # None: nothing, which `about` explains
    about: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()


SOCKETS = {
    "cri": (
        "/run/containerd/containerd.sock",
        "/run/k3s/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/run/cri-dockerd.sock",
    ),
    "docker": ("/run/docker.sock",),
    "podman": ("/run/podman/podman.sock",),
}
KEYS: dict[str, Key] = {
    "node": Key("text", "", "Name of this machine in records; the host name where empty."),
    "run_dir": Key("path", "/run/driftline", "The classifier's sockets."),
    "state_dir": Key("path", "/var/lib/driftline", "What the classifier keeps over restarts."),
    "user": Key("text", "", "User that `driftline run` gives the classifier; `driftline`, or uid 65520 without one."),
    "sensor.name": Key("text", "default", "Name of this instance; two on one machine need two names."),
    "sensor.scope": Key("path", None, "Observe only this cgroup and what is below it; the whole machine where empty."),
    "sensor.interval": Key("number", 10.0, "Seconds between windows.", 0.1, 3600),
    "sensor.probes": Key("texts", ("syscalls", "process", "files", "network"), "Probes to load."),
    "sensor.run_dir": Key("path", "/run/driftline-sensor", "The sensor's lock and plan; only root enters."),
    "sensor.socket": Key("path", None, "The classifier's socket; `<run_dir>/classifier.sock` where empty."),
    "sensor.keep_pinned": Key("flag", True, "Keep counting in the kernel while the sensor is stopped."),
    "sensor.digest": Key(
        "flag",
        True,
        "Hash executables that were run; read versions of opened packages, heads of weights, what skills and prompts hold.",
    ),
    "sensor.redact": Key(
        "flag", True, "Take what looks like a secret out of command lines before they leave the sensor."
    ),
    "sensor.capture.agents": Key(
        "patterns",
        ("auto",),
        "Whose model and tool calls are read: `auto` (who opened code of an AI framework, or has the label "
        "`driftline.io/agent=true`), `all`, `none`, or a list of patterns of workloads' names.",
    ),
    "sensor.capture.redaction": Key(
        "text",
        "default",
        "What is masked in words of agents: `default` (keys, tokens, card numbers, values of secret names) or `pci` (e-mail "
        "addresses, too).",
        choices=("default", "pci"),
    ),
    "sensor.capture.originals.recipients": Key(
        "texts", (), "Public keys (`age1…`) for which whole texts of agents are sealed; none are kept where empty."
    ),
    "sensor.capture.originals.workloads": Key("texts", ("*",), "Whose: patterns of workloads' names."),
    "sensor.capture.originals.dir": Key("path", "/var/lib/driftline-sensor", "Where they are kept on the node."),
    "sensor.capture.originals.days": Key(
        "number", 30.0, "Days for which one is kept since it was last said.", 0.01, 36500
    ),
    "sensor.capture.originals.max_bytes": Key("whole", 1 << 30, "Bytes of them all, sealed.", 1 << 20, 1 << 50),
    "sensor.sizes.slots": Key("whole", 512, "Replicas at a time.", 1, 65536),
    "sensor.sizes.processes": Key("whole", 32768, "Processes at a time.", 64, 1 << 22),
    "sensor.sizes.files": Key("whole", 16384, "Rows of (replica, image, file).", 64, 1 << 20),
    "sensor.sizes.flows": Key("whole", 8192, "Rows of (replica, image, peer, port).", 64, 1 << 20),
    "sensor.sizes.fact_pages": Key("pages", 128, "Ring of facts, in pages of 4 KiB, a power of two.", 1, 65536),
    "sensor.sizes.path_pages": Key("pages", 128, "Ring of paths, likewise.", 1, 65536),
    "sensor.sizes.exec_pages": Key("pages", 128, "Ring of execs, likewise.", 1, 65536),
    "sensor.sizes.payload_pages": Key("pages", 64, "Ring of DNS answers and TLS names, likewise.", 1, 65536),
    "classifier.socket": Key("path", None, "Where sensors send; `<run_dir>/classifier.sock` where empty."),
    "classifier.control": Key("path", None, "Socket for questions; `<run_dir>/control.sock` where empty."),
    "classifier.socket_group": Key("text", "", "Group whose members may ask and triage; only root where empty."),
    "classifier.sensor_uids": Key("wholes", (0,), "Users that may send observations, by number."),
    "classifier.policy": Key("text", "default", "Thresholds: `default`, `demo`, or a file as for `trace replay`."),
    "classifier.time_scale": Key("number", 1.0, "Divide every duration of the policy by this.", 0.001, 1e6),
    "classifier.trace": Key("path", None, "Trace that gets every accepted record; none where empty."),
    "classifier.folder": Key("path", None, "Folder for dropped deploy events; not watched where empty."),
    "classifier.systemd": Key("number", 10.0, "Seconds between looks at the units; 0: never.", 0, 3600),
    "classifier.keys_file": Key("path", None, "Whose signatures of deploy events count; nobody's where empty."),
    "classifier.metrics_address": Key("address", None, "`HOST:PORT` of metrics; none where empty."),
    "classifier.stop_within": Key("number", 4.0, "Seconds from the request to the end.", 0.5, 60),
    "classifier.http.address": Key("address", None, "`HOST:PORT` for signed deploy events; not received where empty."),
    "classifier.http.body": Key("whole", 65536, "Bytes of one deploy event.", 256, 1 << 24),
    "classifier.http.tolerance": Key("number", 300.0, "Seconds a signed event may be old.", 1, 86400),
    "classifier.http.rate": Key("number", 5.0, "Requests per second and address.", 0.01, 10000),
    "classifier.http.burst": Key("whole", 30, "Requests at once of one address.", 1, 10000),
    "classifier.retention.event_rows": Key("whole", 500_000, "Events kept as evidence.", 1000, 1 << 40),
    "classifier.retention.event_age": Key("number", 7_776_000.0, "Seconds an event is kept.", 60, 1e10),
    "classifier.retention.max_bytes": Key("whole", 8 << 30, "Bytes of the database.", 1 << 20, 1 << 50),
    "classifier.retention.snapshot_seconds": Key("number", 300.0, "Seconds between snapshots.", 1, 86400),
    "audit.keep": Key("flag", True, "Keep an audit trail of findings, gaps, refused news and decisions."),
    "audit.dir": Key("path", None, "Folder of the trail; `<state_dir>/audit` where empty."),
    "audit.key": Key("path", None, "Key that signs it, made with the trail; `<audit.dir>/key.pem` where empty."),
    "audit.days": Key("number", 400.0, "Days for which rows and the records they rest on are kept.", 92, 36500),
    "audit.silence": Key("number", 120.0, "Seconds without a word of a sensor, after which a row says so.", 1, 86400),
    "audit.answer": Key("number", 86_400.0, "Seconds until a finding without a decision is told again.", 60, 1e10),
    "audit.max_bytes": Key("whole", 8 << 30, "Bytes of the trail.", 1 << 20, 1 << 50),
    "identity.cluster": Key("text", "local", "First part of the names of pods' workloads."),
    "identity.host": Key("text", "", "Where the host's root is mounted, such as `/host` in a DaemonSet."),
    "identity.roots": Key("texts", (), "Cgroup paths below which a nested node works, such as a kind node's."),
    "identity.cri_sockets": Key(
        "texts", SOCKETS["cri"], "Container runtimes to ask for pods; the first that is there."
    ),
    "identity.docker_sockets": Key("texts", SOCKETS["docker"], "Docker engines to ask."),
    "identity.podman_sockets": Key("texts", SOCKETS["podman"], "Podman services to ask."),
    "identity.replicas": Key("whole", 4096, "Replicas and containers remembered.", 16, 1 << 20),
    "identity.patience": Key("number", 5.0, "Seconds a question to a runtime is repeated.", 0.1, 600),
    "otlp.enabled": Key("flag", False, "Receive what agents say of themselves by OTLP/HTTP; docs/otlp.md says how."),
    "otlp.address": Key("address", ("127.0.0.1", 4318), "Where; containers reach no loopback address."),
    "otlp.body": Key("whole", 8 << 20, "Bytes of a request, unpacked.", 1024, 64 << 20),
    "otlp.rate": Key("number", 20.0, "Requests per second and sender.", 0.1, 10_000),
    "otlp.calls": Key("number", 100.0, "Calls that are kept, per second and replica.", 0.1, 100_000),
    "otlp.emails": Key("flag", False, "Mask e-mail addresses in words, too."),
    "identity.rules": Key("rules", (), "Names for cgroups that no container runtime and no systemd unit explains."),
}


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
        from sensor.originals.sealing import SealingError, sealer
        from sensor.settings import OriginalsSettings

        told = self._below("sensor.capture.originals.")
        if told["recipients"]:
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


def text_of(path: Path) -> str:
    """The text of a configuration file.

    Raises:
        SettingsError: It cannot be read, is too large or no UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT + 1)
    except OSError as e:
        raise SettingsError(f"{path}: {e.strerror}; check the path and who may read it") from e
    if len(raw) > LIMIT:
        raise SettingsError(f"{path}: larger than {LIMIT >> 10} KiB; keep only configuration in it")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as e:
        raise SettingsError(f"{path}: not UTF-8 text (byte {e.start}); save it as UTF-8") from e


def parse(text: str, where: str = "configuration") -> dict[str, Any]:
    """The keys that a configuration text sets.

    >>> parse("sensor: {interval: 5}")
    {'sensor.interval': 5.0}
    """
    root = _composed(text, where)
    return {} if root is None else dict(_walk(root, "", where))


def scalars(text: str, where: str) -> Iterator[tuple[str, str, str]]:
    """A flat mapping as name, text and place, for those who know the kinds.

    >>> list(scalars("park: 5", "p.yaml"))
    [('park', '5', 'p.yaml:1')]
    """
    root = _composed(text, where)
    if root is None or _empty(root):
        return
    if root.id != "mapping" or any(value.id != "scalar" for _, value in root.value):
        raise SettingsError(f"{_at(root, where)}: only lines of `name: value` belong here; remove the rest")
    for key, value in root.value:
        yield str(key.value), value.value, _at(key, where)


def _composed(text: str, where: str) -> Node | None:
    """The nodes of a YAML text, nothing built of them yet."""
    import yaml

    try:
        _refuse_bombs(text, where)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise SettingsError(f"{where}:{line}: {e.problem}; check the indentation and quotes around it") from e
    except yaml.YAMLError as e:
        raise SettingsError(f"{where}: {e}; remove what YAML does not allow".replace("\n", " ")) from e


def _refuse_bombs(text: str, where: str) -> None:
    """Refuse references, which can multiply, and nesting that no key has, before anything is built."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise SettingsError(f"{where}:{line}: references (*name) are not read; write the value out")
        if depth > DEPTH:
            raise SettingsError(f"{where}:{line}: nested more than {DEPTH} levels; no key is that deep")


def _walk(node: Node, prefix: str, where: str) -> Iterator[tuple[str, Any]]:
    if _empty(node):
        return
    if node.id != "mapping":
        raise SettingsError(f"{_at(node, where)}: {prefix or 'the file'} holds keys; write `key: value` below it")
    seen: set[str] = set()
    for key_node, value_node in node.value:
        name = f"{prefix}.{key_node.value}" if prefix else str(key_node.value)
        if name in seen:
            raise SettingsError(f"{_at(key_node, where)}: {name} is set twice; keep one")
        seen.add(name)
        if name in KEYS:
            yield name, _value(name, value_node, where)
        elif any(known.startswith(name + ".") for known in KEYS):
            yield from _walk(value_node, name, where)
        else:
            raise SettingsError(f"{_at(key_node, where)}: unknown key {name}; {_nearest(name)}")


def _nearest(name: str) -> str:
    sections = {known.rpartition(".")[0] for known in KEYS} - {""}
    near = difflib.get_close_matches(name, [*KEYS, *sections], n=1, cutoff=0.5)
    tail = [known for known in KEYS if known.rpartition(".")[2] == name.rpartition(".")[2]]
    return f"did you mean {(tail or near)[0]}?" if tail or near else "docs/configuration.md lists the keys"


def _empty(node: Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def _at(node: Node, where: str) -> str:
    return f"{where}:{node.start_mark.line + 1}"


def _value(name: str, node: Node, where: str) -> Any:
    key = KEYS[name]
    if key.kind == "rules":
        return _rules(node, where)
    if _empty(node):
        return key.default
    if key.kind in ("texts", "wholes") or (key.kind == "patterns" and node.id == "sequence"):
        if node.id != "sequence" or any(item.id != "scalar" for item in node.value):
            raise SettingsError(f"{_at(node, where)}: {name} is a list; write `- value` lines below it")
        return tuple(_item(name, item, where) for item in node.value)
    if node.id != "scalar":
        raise SettingsError(f"{_at(node, where)}: {name} takes one value; write `{name.rpartition('.')[2]}: value`")
    return checked(name, node.value, _at(node, where))


def _item(name: str, item: Node, where: str) -> Any:
    """One item of a list; a comma in it belongs to it, unlike in a variable."""
    if KEYS[name].kind == "texts":
        return item.value
    return checked(name, item.value, _at(item, where))[0]


def checked(name: str, text: str, where: str) -> Any:
    """The value that a text gives a key.

    >>> checked("sensor.sizes.slots", "64", "test")
    64
    """
    key = KEYS[name]
    try:
        value = CONVERT[key.kind](text)
    except ValueError:
        raise SettingsError(f"{where}: {name} takes {WORDS[key.kind]}, not {text!r:.60}; correct it") from None
    if key.choices and value not in key.choices:
        raise SettingsError(f"{where}: {name} is one of {', '.join(key.choices)}, not {text!r:.60}; choose one")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_range(name, key, value, where)
    return value


def _check_range(name: str, key: Key, value: float, where: str) -> None:
    least, most = key.least, key.most
    if (least is not None and not value >= least) or (most is not None and not value <= most):
        bounds = f"{'' if least is None else f'{least:g} or more'}{'' if most is None else f', at most {most:g}'}"
        raise SettingsError(f"{where}: {name} is {value:g}; it must be {bounds.lstrip(', ')}")


def _flag(text: str) -> bool:
    if text.lower() in ("true", "yes", "on", "1"):
        return True
    if text.lower() in ("false", "no", "off", "0"):
        return False
    raise ValueError(text)


def _path(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise ValueError(text)
    return text


def _whole(text: str) -> int:
    if len(text) > 18:
        raise ValueError(text)
    return int(text)


def _pages(text: str) -> int:
    number = _whole(text)
    if number < 1 or number & (number - 1):
        raise ValueError(text)
    return number


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not 0 < _whole(port) < 65536:
        raise ValueError(text)
    return host.strip("[]"), int(port)


def _pattern(text: str) -> str:
    """A word that is none of the three and cannot be the name of a workload is a slip."""
    if text not in ("auto", "all", "none") and not set(text) & set("*?/:"):
        raise ValueError(text)
    return _line(text)


def _line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(text)
    return text


CONVERT = {
    "text": _line,
    "path": _path,
    "whole": _whole,
    "pages": _pages,
    "number": float,
    "flag": _flag,
    "address": _address,
    "texts": lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
    "patterns": lambda text: tuple(_pattern(part.strip()) for part in text.split(",") if part.strip()),
    "wholes": lambda text: tuple(_whole(part) for part in text.split(",")),
}
WORDS = {
    "text": "one line of text",
    "path": "an absolute path",
    "whole": "a whole number",
    "pages": "a power of two",
    "number": "a number",
    "flag": "true or false",
    "address": "HOST:PORT",
    "texts": "a list of texts",
    "patterns": "auto, all, none, or patterns of workloads' names such as `unit:support-*`",
    "wholes": "a list of whole numbers",
    "rules": "a list of rules",
}


def _rules(node: Node, where: str) -> tuple[Rule, ...]:
    if _empty(node):
        return ()
    if node.id != "sequence":
        raise SettingsError(f"{_at(node, where)}: identity.rules is a list; begin each rule with `- match:`")
    if len(node.value) > RULES:
        raise SettingsError(f"{_at(node, where)}: {len(node.value)} rules, the limit is {RULES}; join some patterns")
    return tuple(_rule(item, where) for item in node.value)


def _rule(node: Node, where: str) -> Rule:
    from sensor.identity import rules

    at = _at(node, where)
    if node.id != "mapping" or any(value.id != "scalar" for _, value in node.value):
        raise SettingsError(f"{at}: a rule has the keys {', '.join(RULE_KEYS)}; write each as `key: text`")
    for key, _ in node.value:
        if key.value not in RULE_KEYS:
            near = difflib.get_close_matches(key.value, RULE_KEYS, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"a rule has {', '.join(RULE_KEYS)}"
            raise SettingsError(f"{_at(key, where)}: unknown key {key.value} in a rule; {remedy}")
    parts = {key.value: value.value for key, value in node.value}
    if len(parts.get("match", "")) > PATTERN:
        raise SettingsError(f"{at}: pattern of more than {PATTERN} characters; split the rule")
    try:
        return rules.load([parts])[0]
    except rules.RuleError as e:
        raise SettingsError(f"{at}: {str(e).removeprefix('identity rule 1: ')}") from e


def cgroup_directory(scope: str | Path, mounts: Path = Path("/proc/self/mountinfo")) -> Path:
    """The directory of a cgroup, named by it or by the path below the root of the cgroup v2 hierarchy."""
    roots = [fields[4] for line in mounts.read_text().splitlines() if (fields := line.split()) and "cgroup2" in fields]
    for root in roots:
        if Path(scope).is_relative_to(root):
            return Path(scope)
    if not roots:
        raise SettingsError("no cgroup v2 hierarchy is mounted here; mount one, or leave the scope out")
    return Path(roots[0]) / str(scope).lstrip("/")


def variable(name: str) -> str:
    """The environment variable that overrides a key.

    >>> variable("sensor.sizes.slots")
    'DRIFTLINE_SENSOR_SIZES_SLOTS'
    """
    return "DRIFTLINE_" + name.upper().replace(".", "_")


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The keys that variables set. Unknown DRIFTLINE_ names stay: an orchestrator may add its own."""
    found = {}
    for name, key in KEYS.items():
        text = environment.get(variable(name))
        if text is not None and key.kind != "rules":
            found[name] = checked(name, text, variable(name)) if text else key.default
    return found
