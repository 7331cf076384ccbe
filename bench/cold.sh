#!/bin/sh
# cold.sh VKDET MODEL PICTURE [DEVICE]...: whole processes, from start to exit with the boxes of one picture, in
# milliseconds: with empty caches (ours and the driver's), then the median of five with warm ones. Devices: those of
# `vkdet devices` unless named.
set -eu
[ $# -ge 3 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
vkdet=$1
model=$2
picture=$3
shift 3
if [ $# -eq 0 ]; then
    all=$("$vkdet" devices) || { echo "cold.sh: $vkdet devices failed" >&2; exit 1; }
    for device in $(printf '%s\n' "$all" | sed -n 's/^\(vulkan:[0-9]*\|cpu\|reference\) .*/\1/p'); do
        set -- "$@" "$device"
    done
fi
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
export XDG_CACHE_HOME="$cache"

# once DEVICE: milliseconds
once() {
    before=$(date +%s%N)
    "$vkdet" detect -q -m "$model" --device "$1" "$picture" >/dev/null
    echo "$((($(date +%s%N) - before) / 1000000))"
}

for device in "$@"; do
    rm -rf "${cache:?}"/*
    cold=$(once "$device")
    warm=$(for _ in 1 2 3 4 5; do once "$device"; done | sort -n)
    printf 'process.cold.%-12s = %6s ms\n' "$device" "$cold"
    printf 'process.warm.%-12s = %6s ms  [%s to %s; n 5]\n' "$device" "$(printf '%s\n' "$warm" | sed -n 3p)" \
        "$(printf '%s\n' "$warm" | sed -n 1p)" "$(printf '%s\n' "$warm" | sed -n 5p)"
done
