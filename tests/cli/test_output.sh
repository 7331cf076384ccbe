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

got=0
"$vkdet" verify --device reference >/dev/full 2>err || got=$?
[ "$got" -eq 5 ] || fail "verify to a full disk: status $got"
lines err 1
says 'standard output'
got=0
detect pics/two.ppm >&- 2>err || got=$?
[ "$got" -eq 5 ] || fail "standard output closed: status $got"

# a file that may not grow further: an error, no signal
yes pics/two.ppm | head -n 100 >list
got=0
(
    ulimit -f 1
    exec "$vkdet" detect -q --device reference - <list >big 2>/dev/null
) || got=$?
[ "$got" -eq 5 ] || fail "a file at its limit: status $got"

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
expect 5 detect --save-img --output toy.vkdet/below pics/two.ppm
says 'toy.vkdet/below'
expect 0 detect --save-img --output not/yet/there pics/two.ppm
expect 0 detect --save-img --output "$work/nor//this/" pics/two.ppm
for folder in not/yet/there nor/this; do
    [ -n "$(ls $folder)" ] || fail "nothing was written into $folder"
done
if [ "$(id -u)" -ne 0 ]; then
    mkdir closed
    chmod 555 closed
    expect 5 detect --save-img --output closed pics/two.ppm
fi
expect 5 "$vkdet" convert model.json --card card.json --output no/such/folder/toy.vkdet
# an input that is missing is no failed output, although its path begins with the output's
expect 4 "$vkdet" convert missing.json --card card.json --output missing
expect 4 "$vkdet" convert model.json --card ./nocard.json --output ./n
expect 2 "$vkdet" convert model.json --card card.json --output -
says 'not written to standard output'
[ ! -e - ] || fail "convert made a file named -"

# SIGTERM: what is under way is finished, the document is closed, the status tells the signal
for format in ndjson csv coco; do
    rm -f open out # an old one would look like a result
    mkfifo open
    "$vkdet" detect --device reference --format "$format" - <open >out 2>err &
    run=$!
    exec 3>open
    echo pics/two.ppm >&3
    i=0
    while ! grep -qs two.ppm out && [ "$i" -lt 600 ]; do
        sleep 0.1
        i=$((i + 1))
    done
    kill -TERM "$run"
    got=0
    wait "$run" || got=$?
    exec 3>&-
    [ "$got" -eq 143 ] || fail "$format: status $got after SIGTERM"
    says 'stopped by signal 15'
    case $format in
    ndjson) "$fixture" ndjson out >/dev/null ;;
    coco) "$fixture" coco out >/dev/null ;;
    esac
done
