# What a push runs is what `make` runs. Every target does its own set-up; a second set-up takes no time.
# Nothing is written outside this checkout but Debian packages, and those only as root.

PYTHON ?= /usr/bin/python3
BIN := .venv/bin
MINUTES ?= 1

# bcc's loader runs under Debian's own Python; headers need not match the kernel, so any generic set does.
ARCH := $(shell dpkg --print-architecture 2>/dev/null || echo amd64)
PACKAGES := python3 python3-venv python3-bpfcc libbpf1 bpftool kmod linux-headers-cloud-$(ARCH)
# What only the tests need: systemd-analyze reads the units, strace and gcc make known loads, containerd runs pods.
TEST_PACKAGES := systemd strace gcc libc6-dev containerd runc busybox-static containernetworking-plugins iproute2 nodejs libssl-dev curl
# Servers and other tools that only `make bench` measures; none of their services is started.
BENCH_PACKAGES := redis-server nginx-light apache2-utils bpftrace bpfcc-tools linux-perf sysdig

.PHONY: help setup setup-test demo demo-breach test kernel containers containers-crun clients demo-inventory faults lint format bench soak fuzz lock sbom manual clean
.DEFAULT_GOAL := help

help:
	@echo "make setup   install Debian packages that are missing (root) and the command into .venv"
	@echo "make demo    two agents, a rollout, a theft: live as root with BPF, else the recorded story"
	@echo "make demo-breach  week seven: six weeks of a real agent, then an injected ticket; with its words and without (root)"
	@echo "make test    all tests, the kernel's included where root and BPF are there"
	@echo "make kernel  other kernels under qemu, asked the same as this one; writes docs/kernels.md (root)"
	@echo "make containers  pods of a real containerd, 200 short ones among them; writes docs/containers.md (root)"
	@echo "make containers-crun  the same under crun, in a guest with Debian's 6.12 kernel; writes docs/containers-crun.md (root)"
	@echo "make clients  clients of agents in containers: whose model calls are read, and who is uncovered (root)"
	@echo "make demo-inventory  an agent changes its model and starts a tool server: its inventory at three moments (root)"
	@echo "make faults  every fault on this machine: what is lost and who is told; writes docs/faults.md (root)"
	@echo "make lint    ruff and the import contracts"
	@echo "make bench   costs, measured on this machine beside other tools; some 25 minutes, BENCH=--quick 15 (root)"
	@echo "make soak    50 workloads for MINUTES=120: memory, and counters against the kernel's own (root)"
	@echo "make fuzz    hostile input for every decoder, MINUTES=$(MINUTES) of CPU time each"
	@echo "make sbom    build/driftline.cdx.json: of what a release is made; make lock pins it anew"
	@echo "make manual  write docs/cli.md and the tables of docs/configuration.md anew"

setup: packages-base $(BIN)/.installed

setup-test: packages-test $(BIN)/.installed

.PHONY: packages-base packages-test packages-bench
packages-base:
	@$(call install,$(PACKAGES))

packages-test:
	@$(call install,$(PACKAGES) $(TEST_PACKAGES))

packages-bench:
	@sh bench/packages.sh $(BENCH_PACKAGES)

# A package counts as there only when dpkg says "installed"; the list of missing ones decides whether apt runs at all.
define install
set -eu; missing=""; \
if command -v dpkg-query >/dev/null; then \
  for p in $(1); do \
    [ "$$(dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null || true)" = installed ] || missing="$$missing $$p"; \
  done; \
else \
  echo "set-up: no dpkg here; the equivalents of these packages are needed: $(1)"; \
fi; \
if [ -n "$$missing" ]; then \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    echo "set-up: installing$$missing"; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get -o DPkg::Lock::Timeout=300 -qq update; \
    apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends $$missing >/dev/null; \
  else \
    echo "set-up: not root, so these packages stay missing:$$missing"; \
    echo "set-up: live observation needs them; replaying traces does not"; \
  fi; \
fi
endef

# The stamp is newer than pyproject.toml exactly when what pyproject.toml asks for is installed.
$(BIN)/.installed: pyproject.toml
	@set -eu; \
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv || { \
	  echo "Error: $(PYTHON) cannot make a virtual environment" >&2; \
	  echo "Hint: as root, run \"apt-get install python3-venv\"" >&2; rm -rf .venv; exit 1; }; \
	echo "set-up: installing driftline into .venv"; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,cri,demo]'; \
	touch $@

demo: setup
	@$(BIN)/driftline demo

demo-breach: setup
	@$(BIN)/driftline demo --breach --output build/breach

test: setup-test
	@$(BIN)/python -m pytest

# Kernels and qemu are unpacked below /tmp/driftline-vm and removed afterwards; nothing of them is installed.
kernel: setup-test
	@$(BIN)/python -m tests.vm --page docs/kernels.md

# containerd runs in cgroups, mounts and a network of its own, which go with it.
containers: setup-test
	@$(BIN)/python -m tests.containers --page docs/containers.md

# A guest as in `make kernel`, with crun unpacked in it.
containers-crun: setup-test
	@$(BIN)/python -m tests.vm.pods --page docs/containers-crun.md

clients: setup-test
	@$(BIN)/python -m tests.clients

demo-inventory: setup-test
	@$(BIN)/python -m tests.inventory.live

# Its cgroups, mounts and probes are its own and go with it; the wall clock is left alone.
faults: setup-test
	@$(BIN)/python -m tests.faults --page docs/faults.md

lint: $(BIN)/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: $(BIN)/.installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# It says how long it will take; BENCH="--quick", "--full", "--only beside" and the like choose.
bench: setup-test packages-bench
	@$(BIN)/python -m bench $(BENCH)

# Its cgroups, network and probes are its own; what it has found is in bench/results/soak.json every ten minutes.
soak: MINUTES = 120
soak: setup-test
	@$(BIN)/python -m bench.soak --minutes $(MINUTES)

fuzz: setup-test
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# What a release is installed from. uv alone writes the hashes of every platform; it is no dependency, so it is fetched for this.
lock: $(BIN)/.installed
	@mkdir -p build
	@[ -x build/uv/bin/uv ] || { $(PYTHON) -m venv build/uv && build/uv/bin/pip install --quiet uv; }
	@{ echo "# What a release is installed from, to the byte: pip install --require-hashes -r systemd/requirements.lock"; \
	  echo "# Made by \`make lock\`."; \
	  build/uv/bin/uv pip compile pyproject.toml --extra cri --extra originals --universal --python-version 3.11 \
	    --generate-hashes --no-header --quiet | sed 's/driftline (pyproject.toml)/driftline/'; } > build/requirements.lock
	@mv build/requirements.lock systemd/requirements.lock

sbom: $(BIN)/.installed
	@mkdir -p build
	@$(BIN)/python -m tests.threat.sbom > build/page && mv build/page build/driftline.cdx.json
	@echo "build/driftline.cdx.json"

manual: $(BIN)/.installed
	@mkdir -p build
	@$(BIN)/python -m console.cli.manual > build/page && mv build/page docs/cli.md
	@$(BIN)/python -m console.cli.manual docs/configuration.md > build/page && mv build/page docs/configuration.md

clean:
	rm -rf .venv build run *.egg-info .ruff_cache .import_linter_cache .hypothesis
