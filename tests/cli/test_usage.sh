#!/bin/sh
# Help texts, the version, and every way to misuse the command line (exit status 2).
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"

expect 0 "$vkdet" --version
grep -qE '^vkdet [0-9]+\.[0-9]+\.[0-9]+$' out || fail "--version"
expect 0 "$vkdet" --help
silent
for command in detect convert inspect plan verify devices bench serve help; do
    grep -q "^  $command " out || fail "the overview lacks $command"
done
for command in detect convert inspect plan verify devices bench serve help; do
    expect 0 "$vkdet" "$command" --help
    silent
    grep -q "^usage: vkdet $command" out || fail "help of $command"
    cp out by_option
    expect 0 "$vkdet" help "$command"
    cmp -s out by_option || fail "vkdet help $command and vkdet $command --help differ"
done

expect 2 "$vkdet"
says 'usage: vkdet'
expect 2 "$vkdet" frobnicate
says 'no command "frobnicate"'
expect 2 "$vkdet" help frobnicate
expect 2 "$vkdet" detect
says 'operand missing'
expect 2 "$vkdet" detect -d.jpg
says 'behind --'
expect 2 "$vkdet" detect --output '' a.jpg
says '--output takes DIR, not an empty text'
expect 2 "$vkdet" detect --frobnicate a.jpg
says 'no option "--frobnicate"'
expect 2 "$vkdet" detect -Z a.jpg
says 'no option -Z'
expect 2 "$vkdet" detect a.jpg --model
says 'no value after "--model"'
expect 2 "$vkdet" detect --save-img=yes a.jpg
says 'takes no value'
expect 2 "$vkdet" inspect a b
says 'one operand too many'
expect 2 "$vkdet" devices x
expect 2 "$vkdet" convert model.json
says '--card'
expect 2 "$vkdet" convert model.json --card card.json
says '--output'
expect 2 "$vkdet" convert
for command in detect plan verify; do
    expect 2 "$vkdet" "$command" a.jpg --precision half
    says "$command: --precision takes auto, fp32, fp16 or bf16, not \"half\""
    expect 2 "$vkdet" "$command" a.jpg --tune hard
    says "$command: --tune takes off, quick or full, not \"hard\""
done
for command in detect plan verify inspect; do
    expect 2 "$vkdet" "$command" a.jpg --winograd maybe
    says "$command: --winograd takes auto, never or always, not \"maybe\""
done
expect 2 "$vkdet" val --data a.json --images . --winograd maybe
says 'val: --winograd takes auto, never or always, not "maybe"'
expect 2 "$vkdet" serve --winograd maybe
says 'serve: --winograd takes auto, never or always, not "maybe"'

for bad in 0.5x '' ' 0.5' 0x1p-1 nan inf -0.1 1.1 1e999 0,5; do
    expect 2 "$vkdet" detect --conf "$bad" a.jpg
    says "--conf takes a number from 0 to 1, not \"$bad\""
done
for bad in 0 -1 1.5 nan 1e-400; do
    expect 2 "$vkdet" detect --iou "$bad" a.jpg
    says '--iou takes a number'
done
for bad in 0 -1 +1 1.0 1025 99999999999999999999999 ten ''; do
    expect 2 "$vkdet" detect --batch "$bad" a.jpg
    says '--batch takes a whole number from 1 to 1024'
done
expect 2 "$vkdet" detect --slots 17 a.jpg
expect 2 "$vkdet" detect --max-det 0 a.jpg
expect 2 "$vkdet" detect --max-pixels 0 a.jpg
expect 2 "$vkdet" detect --nms-mode fastest a.jpg
says 'tfjs-per-class'
expect 2 "$vkdet" detect --format xml a.jpg
says 'ndjson, csv, coco or yolo'
expect 2 "$vkdet" detect --format yolo a.jpg
says '--output'
expect 2 "$vkdet" detect --save-img a.jpg
says '--output'
