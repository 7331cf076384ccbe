# support.sh: what the program's shell tests share. Sourced with $1 = vkdet, $2 = cli_fixture; leaves
# a toy model (toy.vkdet) and pictures in the current, temporary folder.
# shellcheck shell=sh
set -eu
vkdet=$1
fixture=$2
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
# the tests say where they run: a model or a cache of the machine's user is no part of them
unset VKDET_MODEL
export XDG_CACHE_HOME="$work/cache"

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    for file in out err; do
        [ ! -s "$file" ] || { printf -- '--- %s\n' "$file"; head -n 20 "$file" | cut -c 1-300; } >&2
    done
    exit 1
}

# expect STATUS COMMAND...: runs it, standard output in ./out and standard error in ./err
expect() {
    wanted=$1
    shift
    got=0
    "$@" >out 2>err || got=$?
    [ "$got" -eq "$wanted" ] || fail "exit status $got, not $wanted: $*"
}

# says TEXT: standard error has it; silent: it has nothing
says() { grep -qF -- "$1" err || fail "standard error lacks \"$1\""; }
silent() { [ ! -s err ] || fail "standard error is not empty"; }
# lines FILE N
lines() { [ "$(wc -l <"$1")" -eq "$2" ] || fail "$1 has $(wc -l <"$1") lines, not $2"; }
# same TEXT FILE
same() { printf '%s\n' "$1" | cmp -s - "$2" || { printf '%s\n' "$1" | diff - "$2" >&2 || true; fail "$2 differs"; }; }

make_toy() {
    "$fixture" model .
    "$vkdet" convert -q model.json --card card.json --output toy.vkdet
    mkdir pics
    "$fixture" pictures pics
    export VKDET_MODEL="$work/toy.vkdet"
}
