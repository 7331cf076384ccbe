#!/bin/sh
# Every Vulkan device that this machine has, software ones too, gives the reference's bytes.
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

devices=$("$vkdet" devices | sed -n 's/^\(vulkan:[0-9]*\) .*/\1/p')
if [ -z "$devices" ]; then
    echo "SKIPPED cli_vulkan: needs a Vulkan device (Debian: mesa-vulkan-drivers)"
    exit 77
fi
"$vkdet" detect -q --device reference pics/*.ppm >wanted 2>/dev/null || true
for device in $devices; do
    "$vkdet" detect -q --device "$device" --batch 2 pics/*.ppm >out 2>err || true
    cmp -s out wanted || fail "$device differs from the reference"
    expect 0 "$vkdet" verify --device "$device"
done
