#!/bin/sh
# gpu.sh [OPTION]...: every row that docs/performance.md has for a real GPU, in one command, on a machine that has
# neither a network nor a compiler nor a shader compiler. Text, JSON and HTML of each part go into the output folder;
# summary.md has each row beside its goal (goals.csv), summary.json the same as data and all documents. What matters most
# comes first, and a part that the time does not allow is named.
#
#   -k DIR      pack what this needs into DIR, and end: the programs, their libraries, the networks, these scripts. Carry the
#               folder to a machine with a GPU and run DIR/bench/gpu.sh there
#   -b DIR      build folder                                  (build/release; in a packed folder, that)
#   -o DIR      output folder                                 (build/gpu)
#   -d DEVICE   as vkdet devices lists them                   (vulkan:0)
#   -m FILE     network: a .vkdet, or a TensorFlow.js model.json; may be repeated, the one with the goals first
#               (.data/aizoo-260/model.json, where README's recipe puts it, if it is there; models/street-320/model.json)
#   -c FILE     card of the model.json before it              (card.json beside it, else models/cards/aizoo-260.json)
#   -B LIST     batches of the throughput rows (1,16,64,256): of JPEG to boxes the largest, of PyTorch 1 and that, of layers
#               and Winograd 1 and the two largest; the server's is 16, those of memory 1 and 64
#   -t SECONDS  longest time of one measurement               (1)
#   -l SECONDS  of everything: when they are over the parts that are left are named and left out   (540)
#   -p PYTHON   with PyTorch, for its rows in turn with ours (bench/peers/torch_turns.py); needs a model.json (python3);
#               the summary needs it too, without PyTorch
#   -D DEVICE   PyTorch's: cuda or cpu                        (cuda)
#   -T HOW      how kernels are chosen for each batch, as vkdet bench --tune takes it: full tries every candidate, for
#               minutes; with few batches (-B)                (quick)
#   -q          quickly, to see that everything works: two batches, a tenth of the time; -B and -t count all the same
#   -h          this text
#
# VK_DRIVER_FILES chooses the Vulkan driver, as always. Everything is compared with the reference before it is timed; exit
# status 6: a score was withheld.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$here/build/release
out=$here/build/gpu
device=vulkan:0
unset batches seconds # said with -B and -t, whether -q comes before or after them
default_batches=1,16,64,256
default_seconds=1
limit=540
python=python3
torch_device=cuda
compile_seconds=90
tune=quick
pack=''
networks=0 # network_N, card_N, name_N: from 1 on
network=''
card=''
name_1=''
packed=''
if [ -e "$here/packed" ]; then
    build=$here
    # shellcheck source=/dev/null
    . "$here/packed"
fi
die() {
    status=$1
    shift
    printf 'gpu.sh: %s\n' "$*" >&2
    exit "$status"
}
while getopts :k:b:o:d:m:c:B:t:l:p:D:T:qh option; do
    case "$option" in
    k) pack=$OPTARG ;;
    b) build=$OPTARG ;;
    o) out=$OPTARG ;;
    d) device=$OPTARG ;;
    m)
        networks=$((networks + 1))
        eval "network_$networks=\$OPTARG card_$networks=''"
        ;;
    c)
        [ "$networks" -gt 0 ] || die 2 "-c goes after the -m that it belongs to"
        eval "card_$networks=\$OPTARG"
        ;;
    B) batches=$OPTARG ;;
    t) seconds=$OPTARG ;;
    l) limit=$OPTARG ;;
    p) python=$OPTARG ;;
    D) torch_device=$OPTARG ;;
    T) tune=$OPTARG ;;
    q) default_batches=1,4 default_seconds=0.1 compile_seconds=20 ;;
    h)
        sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    :) die 2 "-$OPTARG takes a value" ;;
    *) die 2 "there is no option -$OPTARG; -h lists them" ;;
    esac
done
shift $((OPTIND - 1))

# --- all that can be known to be wrong, before anything is packed or run ---------------------------
[ $# -eq 0 ] || die 2 "$1: options are all that is taken; -h lists them"
batches=${batches-$default_batches}
seconds=${seconds-$default_seconds}
in_order=$(printf '%s\n' "$batches" | tr , '\n' | sort -n -u)
case ",$batches," in
*[!0-9,]* | *,,* | *,0* | *,[0-9][0-9][0-9][0-9][0-9]*) largest=none ;;
*) largest=$(printf '%s\n' "$in_order" | tail -n 1) ;;
esac
# what vkdet bench takes
if [ "$largest" = none ] || [ "$largest" -gt 4096 ] || [ "$(printf '%s\n' "$in_order" | wc -l)" -gt 32 ]; then
    die 2 "-B $batches: up to 32 whole numbers from 1 to 4096, with commas between"
fi
batches=$(printf '%s\n' "$in_order" | paste -s -d , -)
case "$seconds" in
*[!0-9.]* | *.*.* | *.) seconds_are=bad ;;
*[1-9]*) seconds_are=$(awk "BEGIN { print $seconds <= 86400 ? \"good\" : \"bad\" }") ;;
*) seconds_are=bad ;;
esac
[ "$seconds_are" = good ] || die 2 "-t $seconds: a number of seconds above 0, of a day at most"
case "$limit" in
'' | *[!0-9]* | 0?* | ??????????*) die 2 "-l $limit: a whole number of seconds, of up to nine digits, without a 0 in front" ;;
esac
case "$torch_device" in
cuda | cpu) ;;
*) die 2 "-D $torch_device: cuda or cpu" ;;
esac
case "$tune" in
off | quick | full) ;;
*) die 2 "-T $tune: off, quick or full" ;;
esac
vkdet=$build/host/cli/vkdet
worker=$build/bench/vkdet_worker
[ -x "$vkdet" ] || die 2 "$vkdet is not there: build first, or name the build folder with -b"
readable() {
    if [ ! -f "$1" ] || [ ! -r "$1" ]; then
        die 2 "$1 is no file that can be read"
    fi
}
# networks without -m: those of a packed folder, or of this one
if [ "$networks" -eq 0 ]; then
    for file in $packed; do
        networks=$((networks + 1))
        eval "network_$networks=\$here/network/\$file card_$networks=''"
    done
fi
if [ "$networks" -eq 0 ]; then
    for file in .data/aizoo-260/model.json models/street-320/model.json; do
        [ -e "$here/$file" ] || continue
        networks=$((networks + 1))
        eval "network_$networks=\$here/\$file card_$networks=''"
    done
fi
# network N: sets `network` and `card`
network() {
    [ "$1" -le "$networks" ] || return 1
    eval "network=\$network_$1 card=\$card_$1"
}
# the files with its weights, which a model.json names
weight_files() {
    tr -d '\n' <"$network" | grep -oE '"paths": *\[[^]]*\]' | sed 's/^"paths"//' | grep -oE '"[^"]+"' | tr -d '"' | sed 's:\\/:/:g' || true
}
check_network() {
    readable "$network"
    case "$network" in
    *.json)
        if [ -z "$card" ]; then
            card=$(dirname -- "$network")/card.json
            [ -e "$card" ] || card=$here/models/cards/aizoo-260.json
        fi
        readable "$card"
        [ -n "$(weight_files)" ] || die 2 "$network names no files of weights"
        weight_files | while IFS= read -r part; do
            case "/$part/" in
            //* | */../* | *\\*) die 2 "$network: $part is not a path inside its folder" ;;
            esac
            readable "$(dirname -- "$network")/$part"
        done
        ;;
    *.vkdet) [ -z "$card" ] || die 2 "-c goes with a model.json: a .vkdet has its card inside" ;;
    *) die 2 "-m $network: neither a .vkdet nor a model.json" ;;
    esac
}
i=1
while network "$i"; do
    check_network
    eval "card_$i=\$card"
    i=$((i + 1))
done
if [ -n "$pack" ]; then
    [ -x "$worker" ] || die 2 "$worker is not there: build all of it"
    # the loader is opened by name when it is needed, so that ldd does not know of it; ldconfig is not on everyone's path
    linked=$(ldd "$vkdet" "$worker" || true)
    loader=$(PATH=$PATH:/usr/sbin:/sbin && ldconfig -p 2>/dev/null | awk '$1 == "libvulkan.so.1" && !n++ { print $NF }')
    [ -n "$loader" ] || die 2 "libvulkan.so.1 is not found (ldconfig -p): nothing is packed without it"
    missing=$(printf '%s\n' "$linked" | awk '$2 == "=>" && $3 == "not" { print $1 }' | sort -u | paste -s -d ' ' -)
    [ -z "$missing" ] || die 2 "$missing: not found, and the programs need it (ldd)"
    [ ! -e "$pack" ] || die 5 "$pack is there already"
    mkdir -p "$pack" 2>/dev/null || die 5 "$pack cannot be made"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    die 2 "-p $python: no Python of 3.9 or later, which the summary needs"
fi

# --- -k ------------------------------------------------------------------------------------------
# Not the C library and its loader: theirs must be the machine's own (and no older than where this was built).
libraries() {
    printf '%s\n' "$linked" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
        grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so' || true
    printf '%s\n' "$loader"
}

# pack_network N: into a folder of that number; says what `packed` lists
pack_network() {
    mkdir -p "$pack/network/$1"
    name=$(basename -- "$network")
    case "$network" in
    *.json)
        name=model.json
        cp "$card" "$pack/network/$1/card.json"
        weight_files | while IFS= read -r part; do
            mkdir -p "$(dirname -- "$pack/network/$1/$part")"
            cp "$(dirname -- "$network")/$part" "$pack/network/$1/$part"
        done
        ;;
    *) name=model.vkdet ;;
    esac
    cp "$network" "$pack/network/$1/$name"
    printf '%s ' "$1/$name"
}

pack_all() {
    mkdir -p "$pack/host/cli" "$pack/bench/peers" "$pack/lib"
    cp "$vkdet" "$pack/host/cli/"
    cp "$worker" "$pack/bench/"
    cp "$here/bench/gpu.sh" "$here/bench/goals.py" "$here/bench/goals.csv" "$pack/bench/"
    cp "$here/bench/peers/torch_turns.py" "$here/bench/peers/torch_peer.py" "$here/bench/peers/engines.py" \
        "$here/bench/peers/arguments.py" "$here/bench/peers/turns_arguments.py" "$pack/bench/peers/"
    libraries | while read -r library; do
        cp -L "$library" "$pack/lib/"
    done
    i=1
    list=''
    while network "$i"; do
        list="$list$(pack_network "$i")"
        i=$((i + 1))
    done
    # shellcheck disable=SC2016
    printf 'packed="%s"\nout=$here/out\n' "$list" >"$pack/packed"
    echo "gpu.sh: $(du -sh "$pack" | cut -f 1) in $pack"
}
if [ -n "$pack" ]; then
    pack_all
    exit 0
fi

# --- running -------------------------------------------------------------------------------------
began=$(date +%s)
left() { echo "$((limit - $(date +%s) + began))"; }
case $out in
/*) XDG_CACHE_HOME=$out/cache ;;
*) XDG_CACHE_HOME=$(pwd)/$out/cache ;;
esac
export XDG_CACHE_HOME
result=0
omitted=''
ended='' # parts that ended early or in error, with their status

# ours PROGRAM ARGUMENT...: with the libraries of a packed folder, which python must not get, and within the time. In the
# foreground: an interrupt must reach what runs, which would go on using the device.
ours() {
    if [ -d "$build/lib" ]; then
        LD_LIBRARY_PATH=$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} timeout --foreground "$(($(left) + 5))" "$@"
    else
        timeout --foreground "$(($(left) + 5))" "$@"
    fi
}

listed=$(ours "$vkdet" devices)
[ "$device" = auto ] || printf '%s\n' "$listed" | awk -v id="$device" '$1 == id { found = 1 } END { exit !found }' ||
    die 2 "-d $device: vkdet devices does not list it"
mkdir -p "$out" 2>/dev/null || die 5 "$out cannot be made"
printf '%s\n' "$listed" >"$out/devices.txt"

# Each network as a container OUT/NAME.vkdet, where NAME is what its card calls it; networks.txt lists them.
: >"$out/networks.txt"
prepare_network() {
    rm -f "$out/new.vkdet"
    case "$network" in
    *.json) ours "$vkdet" convert -q "$network" --card "$card" --output "$out/new.vkdet" ;;
    *) cp "$network" "$out/new.vkdet" ;;
    esac
    name=$(ours "$vkdet" inspect -q -j -m "$out/new.vkdet" | sed -n 's/^.*"name": "\([^"]*\)".*/\1/p' | sed -n 1p | tr -c 'A-Za-z0-9\n-' _)
    if grep -qxF -- "$name" "$out/networks.txt"; then
        rm -f "$out/new.vkdet"
        die 2 "two networks are called $name"
    fi
    mv "$out/new.vkdet" "$out/$name.vkdet"
    echo "$name" >>"$out/networks.txt"
}
i=1
while network "$i"; do
    prepare_network
    eval "name_$i=\$name"
    i=$((i + 1))
done

# forget NAME: what an earlier run left of it
forget() {
    for ending in json csv txt html; do
        rm -f "$out/$1.$ending"
    done
}

# went_wrong NAME STATUS
went_wrong() {
    echo "gpu.sh: $1 ended with status $2" >&2
    ended="$ended $1 ($2)"
    [ "$result" -eq 6 ] || result=$2 # that a score was withheld is what must not be missed
}

# part NAME ARGUMENT...: one run of vkdet bench on the network $model, as text on the screen and as JSON, CSV and text in the
# folder. What goes wrong in one part does not keep the others from running.
part() {
    name=$model.$1
    shift
    forget "$name"
    if [ "$(left)" -le 5 ]; then
        omitted="$omitted $name"
        return 0
    fi
    printf '\n== %s\n' "$name"
    status=0
    ours "$vkdet" bench -q -m "$out/$model.vkdet" --device "$device" --tune "$tune" --max-time "$seconds" \
        --min-time "$(awk "BEGIN { print $seconds / 2 }")" --json "$@" >"$out/$name.json" || status=$?
    if [ -s "$out/$name.json" ]; then
        ours "$vkdet" bench -q --from "$out/$name.json" --report "$out/$name.html" >"$out/$name.txt" || true
        ours "$vkdet" bench -q --from "$out/$name.json" --csv >"$out/$name.csv" || true
        sed -n '/^$/,$p' "$out/$name.txt"
    fi
    [ "$status" -eq 0 ] || went_wrong "$name" "$status"
}

# What a session will hold, which takes no time: nothing is allocated to know it.
memory() {
    for what in fp32.1 fp16.1 fp16.64; do
        name=$model.memory.${what%.*}.b${what#*.}
        forget "$name"
        ours "$vkdet" inspect -q -j -m "$out/$model.vkdet" --device "$device" --precision "${what%.*}" --batch "${what#*.}" \
            >"$out/$name.json" 2>"$out/$name.txt" || rm -f "$out/$name.json"
    done
}

# What matters most; batch 1 and the two largest for what takes long.
some=$({ echo 1; printf '%s\n' "$in_order" | tail -n 2; } | sort -n -u | paste -s -d , -)
first_parts() {
    memory
    part resident --precision fp16,fp32 --batch "$batches" --scenario offline --stage device --slots 4
    part upload --precision fp16,fp32 --batch "$batches" --scenario offline --stage pixels --slots 4
    part latency --precision fp16,fp32 --scenario single-stream --stage pixels
}

# PyTorch in turn with vkdet, at the largest batch and at 1: all networks at once, so that they are compiled together.
torch_rows() {
    forget torch
    rm -f "$out/torch.err"
    i=1
    set --
    while network "$i"; do
        eval "name=\$name_$i"
        case "$network" in
        *.json) set -- "$@" --network "$name=$out/$name.vkdet,$network" ;;
        *) echo "gpu.sh: no rows of PyTorch of $name: it is no model.json" >&2 ;;
        esac
        i=$((i + 1))
    done
    [ $# -gt 0 ] || return 0
    if ! "$python" -c 'import torch, numpy' 2>/dev/null; then
        echo "gpu.sh: no rows of PyTorch: $python has no torch and numpy" >&2
        return 0
    fi
    # two fifths of the time are for the parts that come after
    budget=$(($(left) * 3 / 5))
    if [ "$budget" -le 30 ]; then
        omitted="$omitted torch"
        return 0
    fi
    printf '\n== torch\n'
    [ ! -d "$build/lib" ] || set -- "$@" --libraries "$build/lib"
    turns=$largest
    [ "$largest" -eq 1 ] || turns=$largest,1
    status=0
    TORCHINDUCTOR_CACHE_DIR=$out/cache/inductor timeout --foreground "$((budget + 20))" \
        "$python" "$here/bench/peers/torch_turns.py" --worker "$worker" --device "$device" --torch-device "$torch_device" \
        --batch "$turns" --seconds "$(awk "BEGIN { print $seconds * 0.3 }")" --budget "$budget" --json "$out/torch.json" \
        --compile-seconds "$compile_seconds" \
        "$@" >"$out/torch.txt" 2>"$out/torch.err" || status=$?
    cat "$out/torch.txt"
    [ -s "$out/torch.json" ] || tail -n 5 "$out/torch.err" >&2
    [ "$status" -eq 0 ] || went_wrong torch "$status"
}

summary() {
    about=$(for file in "$out"/*.resident.txt; do
        sed -n '1,/^$/p' "$file" 2>/dev/null | grep -E '^(vkdet|date|cpu|model|input|rules|device\.|host_after\.nvidia)' |
            sed 's/ *= /: /'
    done | awk '!seen[$0]++')
    set --
    while read -r line; do
        [ -z "$line" ] || set -- "$@" "$line"
    done <<END
$about
END
    printf '\n== summary\n'
    "$python" "$here/bench/goals.py" summary "$out" "$@" "options: -B $batches -t $seconds -d $device -T $tune" \
        "parts left out for want of time:${omitted:- none}" "parts that ended early or in error (status):${ended:- none}" ||
        { echo "gpu.sh: no summary: $python could not make it" >&2; [ "$result" -ne 0 ] || result=1; }
}

# each N COMMAND...: for every network from that one on
each() {
    i=$1
    shift
    while network "$i"; do
        eval "model=\$name_$i"
        "$@"
        i=$((i + 1))
    done
}

cat "$out/devices.txt"
nvidia-smi >"$out/nvidia-smi.txt" 2>&1 || echo "not readable" >"$out/nvidia-smi.txt"
model=$name_1
first_parts
torch_rows
each 2 first_parts
each 1 part server --precision fp16 --batch 16 --scenario server --latency-bound 5 --slots 4
each 1 part bytes --precision fp16,fp32 --batch "$largest" --scenario offline --stage bytes --slots 4
each 1 part winograd --precision fp32 --winograd always --batch "$some" --scenario offline --stage device --slots 4
each 1 part layers --precision fp32,fp16 --batch "$some" --layers --peak
summary
printf '\ngpu.sh: everything is in %s, in %s s\n' "$out" "$(($(date +%s) - began))"
exit "$result"
