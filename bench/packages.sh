#!/bin/sh
# packages.sh PACKAGE...: installs those that are missing, and starts no service of theirs, now or at the next boot: ports 80 and
# 6379 are not ours. Debian asks /usr/sbin/policy-rc.d before it starts anything; where there is none, there is one meanwhile.
set -eu
POLICY=${POLICY:-/usr/sbin/policy-rc.d}
UNITS="redis-server nginx"

command -v dpkg-query >/dev/null || { echo "set-up: no dpkg here; the equivalents of these packages are needed: $*"; exit 0; }
missing=""
for p in "$@"; do
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "set-up: not root, so these packages stay missing, and their rows empty:$missing"
  exit 0
fi

enabled() { command -v systemctl >/dev/null && systemctl is-enabled --quiet "$1" 2>/dev/null; }
before=""
for u in $UNITS; do if enabled "$u"; then before="$before $u "; fi; done
if ! [ -e "$POLICY" ]; then
  trap 'rm -f "$POLICY"' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' > "$POLICY"
  chmod 755 "$POLICY"
fi
echo "set-up: installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 -qq update
# One by one: what a distribution does not have costs its own rows and no others.
for p in $missing; do
  apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends "$p" >/dev/null || echo "set-up: no package $p here"
done
for u in $UNITS; do
  case "$before" in *" $u "*) continue ;; esac
  if enabled "$u"; then systemctl disable --quiet "$u"; fi
done
