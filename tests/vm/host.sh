#!/bin/bash
# Boots one guest. Runs in a mount namespace of its own, so the machine's mounts stay as they are.
# From the environment: QEMU IMAGE INITRD LAYER MADE TREE VENV AT RUN SECONDS_MAX MEMORY ARGUMENTS
set -eu
E=$RUN/export
mkdir -p "$E"; mount -t tmpfs export "$E"
mkdir -p "$E"/{root,layer,made,share}
readonly_bind() { mkdir -p "$2"; mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; }
for l in bin sbin lib lib64; do ln -s usr/$l "$E/root/$l"; done
for d in usr etc opt var/lib; do readonly_bind "/$d" "$E/root/$d"; done
if [ -d "$TREE/.venv" ]; then readonly_bind "$TREE" "$E/root$AT"
else  # a place to mount one at
  mkdir -p "$RUN/below/.venv" "$E/root$AT"; mount -t overlay tree -o "ro,lowerdir=$TREE:$RUN/below" "$E/root$AT"
fi
[ "$TREE/.venv" -ef "$VENV" ] || readonly_bind "$VENV" "$E/root$AT/.venv"
readonly_bind "$LAYER" "$E/layer"
readonly_bind "$MADE" "$E/made"
mount --bind "$RUN/share" "$E/share"
echo "$AT" >"$E/at"
LIBRARIES=$QEMU/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$LIBRARIES:$QEMU/lib/x86_64-linux-gnu QEMU_MODULE_DIR=$LIBRARIES/qemu
"$QEMU/usr/lib/qemu/virtiofsd" --socket-path="$RUN/socket" -o "source=$E" -o cache=always -o sandbox=chroot \
  -o no_posix_lock -o log_level=warn >"$RUN/virtiofsd.log" 2>&1 &
files=$!
for _ in $(seq 100); do [ -S "$RUN/socket" ] && break; sleep 0.05; done
code=0
timeout -k 2 "$SECONDS_MAX" "$QEMU/usr/bin/qemu-system-x86_64" -L "$QEMU/usr/share/qemu" -L "$QEMU/usr/share/seabios" \
  -accel tcg,tb-size=512 -cpu max -m "$MEMORY" -smp 1 -nodefaults -no-user-config -nographic -no-reboot \
  -object "memory-backend-memfd,id=mem,size=${MEMORY}M,share=on" -machine q35,memory-backend=mem \
  -kernel "$IMAGE" -initrd "$INITRD" \
  -append "console=ttyS0 quiet panic=-1 norandmaps mitigations=off random.trust_cpu=on tsc=reliable $ARGUMENTS" \
  -chardev "socket,id=files,path=$RUN/socket" -device vhost-user-fs-pci,queue-size=1024,chardev=files,tag=host \
  -serial "file:$RUN/console" -chardev "file,id=out,path=$RUN/output" -device virtio-serial-pci -device virtconsole,chardev=out \
  -chardev "socket,id=compiler,path=$RUN/compiler,server=on,wait=off" -device virtserialport,chardev=compiler,name=compiler \
  </dev/null || code=$?
kill $files 2>/dev/null || true
wait $files 2>/dev/null || true
exit $code
