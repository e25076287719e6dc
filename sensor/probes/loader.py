"""Compiles the probes with bcc, attaches and pins them, says what it did as JSON, and exits.

The only user of bcc, and the only program that runs under the distribution's Python: `python3 -m sensor.probes.loader`
with a plan as JSON on standard input. LLVM's memory goes with it; what it pinned stays.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from sensor.probes import btf, choice, fexit, headers, pins, tracepoints
from sensor.probes.catalogue import (
    CGROUP_SKB,
    CGROUP_SOCK,
    CGROUP_SOCK_ADDR,
    FEXIT,
    MAPS,
    PROBES,
    RAW,
    RAW_TRACEPOINT,
    TRACING,
    Hook,
    Probe,
)

SOURCES = Path(__file__).resolve().parents[2] / "bpf"


class LoadError(RuntimeError):
    """Nothing could be loaded; the text says why and what to do."""


def main() -> int:
    plan = json.load(sys.stdin)
    try:
        report = load(plan)
    except (LoadError, btf.BtfError, headers.HeadersError, pins.PinError) as e:
        print(json.dumps({"error": str(e)}))
        return 1
    print(json.dumps(report))
    return 0


def load(plan: dict) -> dict:
    """Loads and pins the probes of a plan.

    Args:
        plan: name, scope_cgroup (id), scope_level, scope_path (absolute), probes (names), sizes (flag → number), hooks ("auto" or
            "raw").

    Returns:
        probes: name → "on" or the reason why not; hooks: name → variant, of those that have more than one; raw: name → why it is
        not the better one.
    """
    pins.ensure_bpffs()
    known = btf.offsets()
    wanted, refused = _possible(plan["probes"], known)
    taken, why = choice.of(wanted, plan["hooks"])
    attached = _load(plan, wanted, known, taken)
    broken = [n for n, variant in taken.items() if variant == FEXIT and attached.get(n, "on") != "on"]
    if broken:  # it passed its trial, and yet the real programs are refused
        why |= {n: attached[n] for n in broken}
        taken |= dict.fromkeys(broken, RAW)
        shutil.rmtree(pins.folder(plan["name"]))
        attached = _load(plan, wanted, known, taken)
    return {"probes": refused | attached, "hooks": taken, "raw": why}


def _load(plan: dict, wanted: list[Probe], known: dict[str, int], taken: dict[str, str]) -> dict[str, str]:
    """Compiles, attaches and pins; name of the probe → "on" or the reason why not."""
    program = _compile(wanted, _flags(plan, wanted, known, taken))
    target = pins.unfinished(plan["name"], os.getpid())
    target.mkdir()
    try:
        _fill_queues(program, plan["sizes"])  # before the first call can ask for a slot
        attached = _attach_all(program, wanted, taken, target, plan["scope_path"])
        _pin_maps(program, target)
        os.rename(target, pins.folder(plan["name"]))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return attached


def _possible(names: list[str], known: dict[str, int]) -> tuple[list[Probe], dict[str, str]]:
    """Probes whose members and tracepoints this kernel has, and for the others the reason."""
    wanted, refused = [], {}
    for probe in PROBES:
        if probe.name not in names:
            continue
        here, why = tracepoints.found(probe)
        missing = [o for o in probe.offsets if o not in known]
        if why or missing:
            refused[probe.name] = why or f"this kernel's BTF lacks {', '.join(missing)}"
        else:
            here_too = {p.name for p in wanted}
            wanted.append(replace(here, hooks=tuple(h for h in here.hooks if h.beside in ("", *here_too))))
    return wanted, refused


def _flags(plan: dict, wanted: list[Probe], known: dict[str, int], taken: dict[str, str]) -> list[str]:
    numbers = dict(plan["sizes"]) | {"SCOPE_LEVEL": plan["scope_level"], "SCOPE_CGROUP": f"{plan['scope_cgroup']}ULL"}
    flags = [f"-D{name}={value}" for name, value in numbers.items()]
    flags += [f"-DOFF_{name}={value}" for name, value in known.items()]
    flags += [f"-D{name}={int.from_bytes(os.urandom(8), 'little')}ULL" for name in ("NAME_KEY", "NAME_KEY2")]
    flags += [f"-D{name}" for name in plan.get("options", ())]
    flags += [f"-DWITH_{probe.name.upper()}" for probe in wanted]
    flags += [f"-D{name.upper()}_BY_FEXIT" for name, variant in taken.items() if variant == FEXIT]
    return [*flags, "-Wno-macro-redefined", "-Wno-unused-function"]


def _compile(wanted: list[Probe], flags: list[str]):  # -> bcc.BPF, which only this Python can import
    text = "".join(
        f'#line 1 "{n}"\n{(SOURCES / n).read_text()}\n' for n in ("common.h", *(f"{p.name}.c" for p in wanted))
    )
    with tempfile.TemporaryDirectory() as scratch:
        source = headers.find(Path(scratch) / "headers")
        if source:
            os.environ["BCC_KERNEL_SOURCE"] = source
        return _bpf(text, flags)


def _bpf(text: str, flags: list[str]):
    try:
        from bcc import BPF
    except ImportError as e:
        raise LoadError(f'no bcc for {sys.executable}: {e}; run "make setup" (Debian: python3-bpfcc)') from e
    BPF._auto_includes = {}
    BPF._BPF__auto_attach = BPF._trace_autoload = lambda self: None  # we attach what the plan names, and pin it
    try:
        return BPF(text=text, cflags=flags)
    except Exception as e:  # bcc raises bare Exception; its own words went to standard error
        raise LoadError(f"cannot compile the probes: {e}") from e


def _attach_all(program, wanted: list[Probe], taken: dict[str, str], target: Path, scope: str) -> dict[str, str]:
    result: dict[str, str] = {}
    for probe in wanted:
        if any(result.get(p) != "on" for p in probe.after):
            result[probe.name] = f"needs {', '.join(probe.after)}"
            continue
        result[probe.name] = _attach_probe(program, probe.hooks_of(taken.get(probe.name, RAW)), target, scope)
    if "on" not in result.values():
        raise LoadError("; ".join(f"{n}: {why}" for n, why in result.items()))
    return result


def _attach_probe(program, hooks: tuple[Hook, ...], target: Path, scope: str) -> str:
    pinned: list[Path] = []
    for hook in hooks:
        try:
            path = target / hook.link
            _pin(_attach(program, hook, scope), path)
            pinned.append(path)
        except Exception as e:  # bcc raises bare Exception; a probe is on as a whole or not at all
            for path in pinned:
                path.unlink()
            return f"{hook.function}: {e}"
    return "on"


def _attach(program, hook: Hook, scope: str) -> int:
    """File descriptor of a link that keeps the program attached."""
    lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    if hook.kind == TRACING:
        code = program.dump_func(hook.function.encode())
        return fexit.attach(fexit.load(hook.target, hook.function, code), hook.target)
    loaded = program.load_func(hook.function, hook.kind, None, hook.attach if hook.kind == CGROUP_SOCK_ADDR else -1)
    if hook.kind == RAW_TRACEPOINT:
        return _checked(lib.bpf_raw_tracepoint_open(hook.target.encode(), loaded.fd), hook.target)
    assert hook.kind in (CGROUP_SKB, CGROUP_SOCK, CGROUP_SOCK_ADDR), hook
    directory = os.open(scope, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return _checked(lib.bpf_link_create(loaded.fd, directory, hook.attach, None), scope)
    finally:
        os.close(directory)


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
    return result


def _pin(fd: int, path: Path) -> None:
    lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    _checked(lib.bpf_obj_pin(fd, os.fsencode(path)), str(path))


def _pin_maps(program, target: Path) -> None:
    for name in MAPS:
        if name.encode() in program.tables or _has(program, name):
            _pin(program[name].map_fd, target / name)


def _has(program, name: str) -> bool:
    try:
        program[name]
    except KeyError:
        return False
    return True


def _fill_queues(program, sizes: dict[str, int]) -> None:
    """Free rows: slots from 1 on (0 means none), rows of tables from 0 on."""
    lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
    for name, first, size in (
        ("free_slots", 1, "MAX_SLOTS"),
        ("free_files", 0, "MAX_FILES"),
        ("free_flows", 0, "MAX_FLOWS"),
    ):
        if _has(program, name):
            for number in range(first, sizes[size]):
                _checked(
                    lib.bpf_map_update_elem(
                        program[name].map_fd, None, ctypes.byref(ctypes.c_uint(number)), ctypes.c_ulong(0)
                    ),
                    name,
                )


if __name__ == "__main__":
    sys.exit(main())
