"""A signer for tests: a private key, and the file of keys that knows it."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from classifier.deploys.signing import Key
from classifier.tracks.staging import public_key

SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def key(secret: Ed25519PrivateKey = SECRET, *workloads: str, name: str = "compliance") -> Key:
    raw = secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Key(name, workloads or ("*",), public=raw)


def keys_file(folder: Path, *, workloads: str = "prod/kyc/*") -> Path:
    path = folder / "keys.yaml"
    path.write_text(f'keys:\n  - name: compliance\n    public: {public_key(SECRET)}\n    workloads: ["{workloads}"]\n')
    path.chmod(0o600)
    return path


def key_file(folder: Path, secret: Ed25519PrivateKey = SECRET) -> Path:
    path = folder / "staging.key"
    path.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(0o600)
    return path
