"""An inventory as of a moment to a bill of materials: CycloneDX 1.6, JSON."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from classifier.inventory.kinds import INFERRED, UNKNOWN, VERIFIED

SPACE = uuid.UUID("6f1c2a54-3f0e-5d61-9a3e-9f5f4f1d2b7c")  # of our serial numbers
CONFIDENCE = {VERIFIED: 1.0, "self_reported": 0.6, INFERRED: 0.4}
TECHNIQUE = {VERIFIED: "dynamic-analysis", "self_reported": "instrumentation", INFERRED: "filename"}
SHA256 = re.compile(r"^(?:sha256:)?([0-9a-f]{64})$")
ADDRESS = re.compile(r"^\[[0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f]{0,4}\]$")
TYPES = {"model": "machine-learning-model", "adapter": "machine-learning-model", "framework": "framework", "library": "library",
         "skill": "data", "prompt": "data", "tool": "data", "data": "data", "identity": "cryptographic-asset"}  # fmt: skip
DATA = {"skill": "configuration", "prompt": "configuration", "tool": "definition", "data": "dataset"}


def bom(found: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The bill of materials of what `moment.shown` gave. The same inventory gives the same document.

    Args:
        version: of driftline.
    """
    services = [r for r in found["items"] if _is_service(r)]
    components = [r for r in found["items"] if not _is_service(r)]
    root = _ref("workload", found["workload"])
    refs = sorted(_ref_of(r) for r in found["items"])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(SPACE, repr((found['workload'], found['at'], refs)))}",
        "version": 1,
        "metadata": _metadata(found, root, version),
        "components": [_component(r) for r in components],
        "services": [_service(r) for r in services],
        "dependencies": [{"ref": root, "dependsOn": refs}, *({"ref": ref} for ref in refs)],
        # Without this a reader would take what is not listed for absent.
        "compositions": [{"aggregate": "complete" if found["complete"] else "unknown", "dependencies": [root]}],
    }


def _metadata(found: Mapping[str, Any], root: str, version: str) -> dict[str, Any]:
    about = {
        "at": _moment(found["at"]),
        "complete": str(found["complete"]).lower(),
        "missed": ", ".join(found["unknown"]),
    }
    kinds = {f"kind:{kind}": state for kind, state in found["kinds"].items()}
    return {
        "timestamp": _moment(found["at"]),
        "lifecycles": [{"phase": "operations"}],
        "tools": {"components": [{"type": "application", "name": "driftline", "version": version}]},
        "component": {
            "type": "application",
            "bom-ref": root,
            "name": found["workload"],
            "properties": _properties(about | kinds),
        },
    }


def _is_service(row: Mapping[str, Any]) -> bool:
    """A service is asked over a network, or speaks over pipes; a remote model that has a name is a model."""
    more = row["more"]
    return row["kind"] == "mcp" or more.get("reach") == "network" or (more.get("reach") == "remote" and "model" in more)


def _component(row: Mapping[str, Any]) -> dict[str, Any]:
    kind = row["kind"]
    out: dict[str, Any] = {"type": TYPES[kind], "bom-ref": _ref_of(row), "name": row["name"]}
    if row["version"] != UNKNOWN:
        out["version"] = row["version"]
    if purl := _purl(row):
        out["purl"] = purl
    if hashes := _hashes(row):
        out["hashes"] = hashes
    if kind in DATA:
        out["data"] = [{"type": DATA[kind], "name": row["name"]}]
    if kind == "identity":
        material = "token" if "token" in row["more"].get("role", "") else "credential"
        out["cryptoProperties"] = {
            "assetType": "related-crypto-material",
            "relatedCryptoMaterialProperties": {"type": material},
        }
    out["evidence"] = _evidence(row)
    out["properties"] = _properties(_about(row))
    return out


def _service(row: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"bom-ref": _ref_of(row), "name": row["name"]}
    if row["version"] != UNKNOWN:
        out["version"] = row["version"]
    if provider := row["more"].get("provider"):
        out["provider"] = {"name": provider}
    if row["more"].get("transport") != "stdio":
        out["endpoints"] = [_endpoint(row["name"])]
        out["x-trust-boundary"] = True
    out["properties"] = _properties(_about(row))
    return out


def _endpoint(name: str) -> str:
    """A host with a port as an address, whatever the host is called."""
    host, _, port = name.rpartition(":")
    host, port = (host, f":{port}") if host and port.isdecimal() and port.isascii() else (name, "")
    return f"tcp://{host if ADDRESS.match(host) else quote(host, safe='.-')}{port}"


def _evidence(row: Mapping[str, Any]) -> dict[str, Any]:
    sure = CONFIDENCE.get(row["basis"], 0.0)
    method = {
        "technique": TECHNIQUE.get(row["basis"], "other"),
        "confidence": sure,
        "value": ", ".join(row["evidence"]),
    }
    out: dict[str, Any] = {"identity": [{"field": "name", "confidence": sure, "methods": [method]}]}
    if row["place"]:
        out["occurrences"] = [{"location": row["place"]}]
    return out


def _about(row: Mapping[str, Any]) -> dict[str, str]:
    """What the standard has no field for."""
    own = {
        "kind": row["kind"],
        "basis": row["basis"],
        "version_basis": row["version_basis"],
        "since": _moment(row["since"]),
        "first": _moment(row["first"]),
        "last": _moment(row["last"]),
        "replicas": ", ".join(row["replicas"]),
        "revisions": ", ".join(row["revisions"]),
        "images": ", ".join(row["images"]),
        "evidence": ", ".join(row["evidence"]),
    }
    return own | {f"more:{name}": value for name, value in row["more"].items()}


def _properties(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": f"driftline:{name}", "value": value} for name, value in values.items() if value]


def _purl(row: Mapping[str, Any]) -> str:
    version = "" if row["version"] == UNKNOWN else "@" + quote(row["version"], safe="")
    system = row["more"].get("system")
    if system in ("pypi", "npm"):
        scope, _, name = row["more"].get("package", row["name"]).rpartition("/")
        return f"pkg:{system}/" + (quote(scope, safe="") + "/" if scope else "") + quote(name, safe="") + version
    if row["more"].get("hub") == "huggingface":
        return "pkg:huggingface/" + "/".join(quote(part, safe="") for part in row["name"].split("/")) + version.lower()
    return ""


def _hashes(row: Mapping[str, Any]) -> list[dict[str, str]]:
    found = (SHA256.match(row["more"].get(name, "")) for name in ("sha256", "blob"))
    return [{"alg": "SHA-256", "content": match[1]} for match in found if match][:1]


def _ref_of(row: Mapping[str, Any]) -> str:
    return _ref(row["kind"], row["name"], row["version"], row["place"])


def _ref(*parts: str) -> str:
    return f"{parts[0]}-{sha256(chr(0).join(parts).encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def _moment(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):  # a number from a hostile trace
        return "1970-01-01T00:00:00Z"
