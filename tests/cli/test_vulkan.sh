#!/bin/sh
# Every Vulkan device that this machine has, software ones too, gives the reference's detections: the same boxes in the
# same order, the scores within rounding; and the same bytes at every batch size.
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

devices=$("$vkdet" devices | sed -n 's/^\(vulkan:[0-9]*\) .*/\1/p')
if [ -z "$devices" ]; then
    echo "SKIPPED cli_vulkan: needs a Vulkan device (Debian: mesa-vulkan-drivers)"
    exit 77
fi
"$vkdet" detect -q --device reference pics/*.ppm >out 2>err || true
"$fixture" ndjson out >wanted
for device in $devices; do
    "$vkdet" detect -q --device "$device" pics/*.ppm >single 2>err || true
    "$fixture" ndjson single | cmp -s - wanted || fail "$device differs from the reference"
    for batch in 2 3 8; do
        "$vkdet" detect -q --device "$device" --batch "$batch" pics/*.ppm >out 2>err || true
        cmp -s out single || fail "$device: batch $batch gives other bytes than batch 1"
    done
    "$vkdet" detect -q --device "$device" --tune off pics/*.ppm >out 2>err || true
    cmp -s out single || fail "$device: --tune off gives other bytes"
    expect 0 "$vkdet" plan --device "$device" --tune off --json
    grep -q '"variant_count"' out || fail "plan --json lacks the number of variants"
    expect 0 "$vkdet" verify --device "$device"
    expect 0 "$vkdet" verify --device "$device" --precision fp16
    for way in never always; do # the contracts differ, the boxes do not
        "$vkdet" detect -q --device "$device" --winograd "$way" pics/*.ppm >out 2>err || true
        "$fixture" ndjson out | cmp -s - wanted || fail "$device: --winograd $way differs from the reference"
        expect 0 "$vkdet" verify --device "$device" --winograd "$way"
        expect 0 "$vkdet" inspect --device "$device" --winograd "$way"
        expect 0 "$vkdet" plan --device "$device" --winograd "$way"
    done
done
