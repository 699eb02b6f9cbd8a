#!/usr/bin/env bash
# Runs a Docker engine of Debian's packages until standard input closes, then leaves nothing of it.
#
#   engine.sh DIRECTORY    prints how far it is, then "ready PID"; PID's root is DIRECTORY/trees/engine
#
# Root on Debian, with mmdebstrap and Debian's mirror in reach. The engine has namespaces of its own
# for mounts, processes and network, which slirp4netns connects: no rule, bridge or forwarding of
# this machine is touched, and all of it ends with the first process. Status 77: there can be none
# here.
set -euo pipefail
W=$1/trees GROUP=shoal-engine-$$ MEMORY_KB=12000000
exec 3>&1 >"$1/engine.log" 2>&1
mkdir "$W"
say() { echo "$*" >&3; }
refuse() { say "refused: $*"; exit 77; }

cleanup() {
    status=$?
    kill -9 $(jobs -p) && wait
    # Of the control groups, those remain whose processes are gone.
    for _ in {1..50}; do
        find /sys/fs/cgroup -depth -type d -path "*/$GROUP*" -exec rmdir {} + && break
        sleep 0.1
    done
    cd /
    umount "$W"
    rm -rf --one-file-system "$W"
    exit "$status"
} 2>/dev/null
trap cleanup EXIT
trap 'exit 143' TERM INT HUP

[[ -c /dev/net/tun ]] || refuse "there is no /dev/net/tun"
command -v mmdebstrap || refuse "mmdebstrap is not installed"
# In memory, if there is plenty: 4 GB of small files, each written once and soon deleted.
(($(awk '/MemAvailable/ {print $2}' /proc/meminfo) < MEMORY_KB)) || mount -t tmpfs shoal-engine "$W"
mkdir -p "$W"/try/{a,b,c,d}
unshare --mount mount -t overlay -o "lowerdir=$W/try/a,upperdir=$W/try/b,workdir=$W/try/c" overlay "$W/try/d" ||
    refuse "the kernel does not lay a file system over that of $W"

# Two trees of Debian 13: one for the base images, one with the engine.
debian() {
    mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io --include="$1" trixie "$2"
}
debian ca-certificates,python3,python3-pip,python3-venv,redis-server "$W/base" &
base=$!
debian ca-certificates,docker.io,docker-cli,docker-compose,docker-buildx,iptables,iproute2,slirp4netns "$W/engine"
wait $base
say "installed after $SECONDS s"

cd "$W/engine"
unshare --net chroot . sh -c 'ip link add name b type bridge && ip link add name v type veth' ||
    refuse "the kernel makes no bridge or pair of interfaces"
mkdir old
echo 'nameserver 10.0.2.3' >etc/resolv.conf # slirp4netns asks this machine's
chroot . update-alternatives --quiet --set iptables /usr/sbin/iptables-legacy
cat >init.sh <<'X'
set -e
mount --make-rprivate /
mount --bind "$PWD" "$PWD"
cd "$PWD"
mount -t proc proc proc; mount --rbind /dev dev; mount --rbind /sys sys; mount -t tmpfs tmpfs run
pivot_root . old
umount -l /old
ip link set lo up
exec dockerd --host unix:///run/docker.sock --exec-opt native.cgroupdriver=cgroupfs \
    --cgroup-parent "/$1" --storage-driver overlay2
X
unshare --mount --net --pid --fork --kill-child bash init.sh "$GROUP" </dev/null &
INIT=$!
ENGINE=
until [[ $ENGINE ]]; do sleep 0.05; ENGINE=$(cat "/proc/$INIT/task/$INIT/children"); done
on() { nsenter --target $ENGINE --mount --net --pid --root --wd "$@"; }
for _ in {1..100}; do on test -S /run/docker.sock && break; sleep 0.1; done
nsenter --target $ENGINE --mount --root slirp4netns --configure --mtu=65520 \
    --netns-type=path /proc/1/ns/net tap0 &
for _ in {1..200}; do on docker version && on ip route | grep -q tap0 && break; sleep 0.2; done
on docker version
say "engine answers after $SECONDS s"

# What the Dockerfile and docker-compose.yml ask a registry for, under the same names.
B=$W/base
cp /etc/ssl/certs/ca-certificates.crt "$B/etc/ssl/certs/"
rm -f "$B"/usr/lib/python3*/EXTERNALLY-MANAGED
ln -sf python3 "$B/usr/bin/python"
install -d -o "$(chroot "$B" id -u redis)" "$B/data"
cat >"$B/usr/local/bin/docker-entrypoint.sh" <<'X'
#!/bin/sh
set -e
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
exec "$@"
X
chmod +x "$B/usr/local/bin/docker-entrypoint.sh"
# The certificates of this machine: there may be a proxy before PyPI.
tar -C "$B" --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -c . | on docker import \
    -c 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
    -c 'CMD ["python3"]' - "$PYTHON_IMAGE"
printf 'FROM %s\nWORKDIR /data\nVOLUME /data\nENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["redis-server"]\n' "$PYTHON_IMAGE" |
    on docker build --quiet -t "$REDIS_IMAGE" -
say "base images after $SECONDS s"
say "ready $ENGINE"
cat >/dev/null # until who started this closes it, or ends
