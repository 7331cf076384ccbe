#!/bin/sh
# Output that cannot be written: exit status 5, told once, and no hanging.
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

detect() { "$vkdet" detect -q --device reference "$@"; }

for format in ndjson csv coco; do
    got=0
    detect --format "$format" pics/two.ppm >/dev/full 2>err || got=$?
    [ "$got" -eq 5 ] || fail "$format to a full disk: status $got"
    lines err 1
    says 'standard output'
done
got=0
"$vkdet" devices >/dev/full 2>err || got=$?
[ "$got" -eq 5 ] || fail "devices to a full disk: status $got"
got=0
"$vkdet" --help >/dev/full 2>err || got=$?
[ "$got" -eq 5 ] || fail "help to a full disk: status $got"

# a reader that leaves: no signal, no hanging although standard input stays open
mkfifo paths
rm -f status
{
    detect --batch 4 - <paths 2>err || echo "$?" >status
} | head -n 1 >/dev/null &
exec 3>paths
i=0
while [ ! -e status ] && [ "$i" -lt 600 ]; do
    echo pics/two.ppm >&3 2>/dev/null || break
    i=$((i + 1))
done
exec 3>&-
wait
same 5 status
says 'standard output'

expect 5 detect --save-img --output toy.vkdet pics/two.ppm
says 'toy.vkdet'
expect 5 detect --save-img --output no/such/parent pics/two.ppm
says 'no/such/parent'
if [ "$(id -u)" -ne 0 ]; then
    mkdir closed
    chmod 555 closed
    expect 5 detect --save-img --output closed pics/two.ppm
fi
expect 5 "$vkdet" convert model.json --card card.json --output no/such/folder/toy.vkdet
