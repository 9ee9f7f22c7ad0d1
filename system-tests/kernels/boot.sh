#!/usr/bin/env bash
# boot.sh KERNEL COMMAND_FILE: runs a bash script inside QEMU on another kernel, with this machine's files; its status is the script's.
# KERNEL is a directory with vmlinuz and lib/modules. Everything is emulated (TCG): no KVM is needed, and all is slow.
# What the guest writes goes to its memory and is gone with it. It has no network but its own loopback.
set -u
kernel=$1
command_file=$2
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
modules="virtio_pci 9pnet_virtio 9p overlay veth tun sch_netem"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root"/{bin,proc,sys,dev}
cp /bin/busybox "$work/root/bin/"
cp "$here/init" "$work/root/init" && chmod 755 "$work/root/init"
cp "$command_file" "$work/root/command"
cp -r "$kernel/lib" "$work/root/lib"
echo "$modules" >"$work/root/modules"
(cd "$work/root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs" || exit 1

timeout "${HEADSPAN_GUEST_SECONDS:-1500}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 4096 -nographic -no-reboot -nic none \
  -kernel "$kernel/vmlinuz" -initrd "$work/initramfs" -append "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off" \
  -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=host,mount_tag=host \
  </dev/null 2>&1 | sed -u 's/\r//g' | tee "$work/console"
status=$(sed -n 's/^guest: exit=//p' "$work/console" | tail -1)
if [ -z "$status" ]; then
  echo "boot.sh: the guest ended without a result: kernel=$kernel" >&2
  exit 1
fi
exit "$status"
