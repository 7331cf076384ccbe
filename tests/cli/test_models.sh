#!/bin/sh
# convert, inspect, plan, verify, devices: the good way, as text and as JSON, and bad models.
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

expect 0 "$vkdet" convert model.json --card card.json --output again.vkdet
says 'wrote again.vkdet'
cmp -s toy.vkdet again.vkdet || fail "converting twice gives two files"
expect 4 "$vkdet" convert missing.json --card card.json --output x.vkdet
says 'missing.json'
expect 4 "$vkdet" convert model.json --card missing.json --output x.vkdet
expect 4 "$vkdet" convert card.json --card card.json --output x.vkdet
expect 4 "$vkdet" convert model.json --card model.json --output x.vkdet
sed 's/"Conv2D","name":"boxes"/"Conv9D","name":"boxes"/' model.json >odd.json
expect 4 "$vkdet" convert odd.json --card card.json --output x.vkdet
says 'Conv9D'
says 'boxes'
mv weights.bin w
expect 4 "$vkdet" convert model.json --card card.json --output x.vkdet
says 'weights.bin'
mv w weights.bin
[ ! -e x.vkdet ] || fail "a failed conversion left a file"

expect 0 "$vkdet" inspect
grep -q 'blocks' out || fail "inspect lacks a layer"
grep -qE '^card\.input\.mean +0, 0, 0$' out || fail "inspect shows a vector as a shape"
grep -qE '^card\.labels\.en +mask, no_mask$' out || fail "inspect lacks the labels"
expect 0 "$vkdet" inspect toy.vkdet --json
grep -q '"blocks"' out || fail "inspect --json lacks a layer"
expect 4 "$vkdet" inspect pics/text.jpg
expect 4 "$vkdet" inspect missing.vkdet
expect 3 "$vkdet" inspect --device vulkan:99
expect 2 "$vkdet" inspect --precision fp8

expect 0 "$vkdet" plan --device reference
grep -q '^preprocess ' out || fail "plan lacks a step"
expect 0 "$vkdet" plan toy.vkdet --device reference --batch 3 --json
grep -q '"batch": *3' out || fail "plan --json lacks the batch"
expect 3 "$vkdet" plan --device vulkan:99

expect 0 "$vkdet" verify --device reference
grep -q '^preprocess ' out || fail "verify lacks a step"
expect 0 "$vkdet" verify toy.vkdet pics/two.ppm --device reference --json
grep -q '"ok": *true' out || fail "verify --json"
expect 1 "$vkdet" verify toy.vkdet pics/text.jpg --device reference
expect 3 "$vkdet" verify --device vulkan:99

expect 0 "$vkdet" devices
grep -q '^reference ' out || fail "devices lacks the reference"
expect 0 "$vkdet" devices --json
grep -q '"reference"' out || fail "devices --json lacks the reference"
"$vkdet" devices | grep -q '^cpu ' || fail "devices lacks the cpu"

# without a GPU: the cpu, where the build has it, and the same boxes on any number of threads
auto=reference
if ! "$vkdet" devices | grep -q 'made without oneDNN'; then
    auto=cpu
    expect 0 "$vkdet" plan --device cpu
    grep -q '^detect ' out || fail "plan of the cpu lacks a step"
    expect 0 "$vkdet" plan --device cpu --json
    grep -q '"host_visible_bytes": *[1-9]' out || fail "plan of the cpu lacks its memory"
    expect 0 "$vkdet" inspect --device cpu --batch 2 --slots 3 --precision fp32
    grep -qE '^session\.slots +3$' out || fail "inspect lacks the session"
    grep -qE '^session\.host_visible_bytes +[1-9]' out || fail "inspect lacks the session's memory"
    expect 0 "$vkdet" verify --device cpu
    expect 0 "$vkdet" detect -q --device cpu --threads 1 pics/two.ppm
    mv out one
    expect 0 "$vkdet" detect -q --device cpu --threads 3 pics/two.ppm
    cmp -s one out || fail "the threads change the boxes"
else
    expect 3 "$vkdet" plan --device cpu
    says 'made without oneDNN'
fi
expect 2 "$vkdet" detect --threads 0 pics/two.ppm
expect 3 "$vkdet" plan --device reference --precision bf16
VK_DRIVER_FILES=/nonexistent VK_ICD_FILENAMES=/nonexistent expect 0 "$vkdet" detect --device auto pics/two.ppm
says "device $auto"
