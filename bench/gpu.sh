#!/bin/sh
# gpu.sh [OPTION]...: every row that docs/performance.md has for a real GPU, in one command, on a machine that has
# neither a network nor a compiler nor a shader compiler. Text, JSON and HTML of each part go into the output folder;
# summary.md is the table for docs/performance.md, summary.json all documents in one.
#
#   -k DIR      pack what this needs into DIR, and end: the programs, their libraries, the network, this script. Carry the
#               folder to a machine with a GPU and run DIR/bench/gpu.sh there
#   -b DIR      build folder                                  (build/release; in a packed folder, that)
#   -o DIR      output folder                                 (build/gpu)
#   -d DEVICE   as vkdet devices lists them                   (vulkan:0)
#   -m FILE     network: a .vkdet, or a TensorFlow.js model.json (models/street-320/model.json)
#   -c FILE     its card, with a model.json                   (card.json beside it, else models/cards/aizoo-260.json)
#   -B LIST     batches                                       (1,2,4,8,16,32,64,128,256)
#   -t SECONDS  longest time of one measurement               (2)
#   -l SECONDS  of everything: when they are over the parts that are left are named and left out   (540)
#   -p PYTHON   with PyTorch, for its rows; needs a model.json (python3)
#   -T HOW      how kernels are chosen for each batch, as vkdet bench --tune takes it: full tries every candidate, for
#               minutes; with few batches (-B)                (quick)
#   -q          quickly, to see that everything works: two batches, a tenth of the time
#   -h          this text
#
# VK_DRIVER_FILES chooses the Vulkan driver, as always. Everything is compared with the reference before it is timed; exit
# status 6: a score was withheld.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$here/build/release
out=$here/build/gpu
device=vulkan:0
network=$here/models/street-320/model.json
card=''
batches=1,2,4,8,16,32,64,128,256
seconds=2
limit=540
python=python3
tune=quick
pack=''
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
while getopts :k:b:o:d:m:c:B:t:l:p:T:qh option; do
    case "$option" in
    k) pack=$OPTARG ;;
    b) build=$OPTARG ;;
    o) out=$OPTARG ;;
    d) device=$OPTARG ;;
    m) network=$OPTARG ;;
    c) card=$OPTARG ;;
    B) batches=$OPTARG ;;
    t) seconds=$OPTARG ;;
    l) limit=$OPTARG ;;
    p) python=$OPTARG ;;
    T) tune=$OPTARG ;;
    q) batches=1,4 seconds=0.2 ;;
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
case ",$batches," in
*[!0-9,]* | *,,* | *,0*) die 2 "-B $batches: whole numbers from 1 on, with commas between" ;;
esac
case "$seconds" in
*[!0-9.]* | *.*.* | *.) seconds_are=bad ;;
*[1-9]*) seconds_are=good ;;
*) seconds_are=bad ;;
esac
[ "$seconds_are" = good ] || die 2 "-t $seconds: a number of seconds above 0"
case "$limit" in
'' | *[!0-9]*) die 2 "-l $limit: a whole number of seconds" ;;
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
# the files with its weights, which a model.json names
weight_files() {
    tr -d '\n' <"$network" | grep -oE '"paths": *\[[^]]*\]' | sed 's/^"paths"//' | grep -oE '"[^"]+"' | tr -d '"' || true
}
readable "$network"
case "$network" in
*.json)
    if [ -z "$card" ]; then
        card=$(dirname -- "$network")/card.json
        [ -e "$card" ] || card=$here/models/cards/aizoo-260.json
    fi
    readable "$card"
    [ -n "$(weight_files)" ] || die 2 "$network names no files of weights"
    weight_files | while read -r part; do
        readable "$(dirname -- "$network")/$part"
    done
    ;;
*.vkdet) [ -z "$card" ] || die 2 "-c goes with a model.json: a .vkdet has its card inside" ;;
*) die 2 "-m $network: neither a .vkdet nor a model.json" ;;
esac
if [ -n "$pack" ]; then
    [ -x "$worker" ] || die 2 "$worker is not there: build all of it"
    [ ! -e "$pack" ] || die 5 "$pack is there already"
    mkdir -p "$pack" 2>/dev/null || die 5 "$pack cannot be made"
fi

# --- -k ------------------------------------------------------------------------------------------
# Not the C library and its loader: theirs must be the machine's own (and no older than where this was built).
libraries() {
    ldd "$vkdet" "$worker" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
        grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so' || true
    # opened by name when it is needed, so that ldd does not know of it
    ldconfig -p 2>/dev/null | awk '$1 == "libvulkan.so.1" && !n++ { print $NF }'
}

pack_all() {
    mkdir -p "$pack/host/cli" "$pack/bench/peers" "$pack/lib" "$pack/network"
    cp "$vkdet" "$pack/host/cli/"
    cp "$worker" "$pack/bench/"
    cp "$here/bench/gpu.sh" "$pack/bench/"
    cp "$here/bench/peers/torch_peer.py" "$pack/bench/peers/"
    libraries | while read -r library; do
        cp -L "$library" "$pack/lib/"
    done
    cp "$network" "$pack/network/"
    name=$(basename -- "$network")
    case "$network" in
    *.json)
        cp "$card" "$pack/network/card.json"
        weight_files | while read -r part; do
            cp "$(dirname -- "$network")/$part" "$pack/network/"
        done
        ;;
    esac
    # shellcheck disable=SC2016
    printf 'network=$here/network/%s\nout=$here/out\n' "'$name'" >"$pack/packed"
    echo "gpu.sh: $(du -sh "$pack" | cut -f 1) in $pack"
}
if [ -n "$pack" ]; then
    pack_all
    exit 0
fi

# --- running -------------------------------------------------------------------------------------
began=$(date +%s)
left() { echo "$((limit - $(date +%s) + began))"; }
mkdir -p "$out" 2>/dev/null || die 5 "$out cannot be made"
XDG_CACHE_HOME=$out/cache
export XDG_CACHE_HOME
result=0
omitted=''

# ours PROGRAM ARGUMENT...: with the libraries of a packed folder, which python must not get, and within the time. In the
# foreground: an interrupt must reach what runs, which would go on using the device.
ours() {
    if [ -d "$build/lib" ]; then
        LD_LIBRARY_PATH=$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} timeout --foreground "$(($(left) + 5))" "$@"
    else
        timeout --foreground "$(($(left) + 5))" "$@"
    fi
}

ours "$vkdet" devices >"$out/devices.txt"
[ "$device" = auto ] || awk -v id="$device" '$1 == id { found = 1 } END { exit !found }' "$out/devices.txt" ||
    die 2 "-d $device: vkdet devices does not list it"

container=$network
case "$network" in
*.json)
    container=$out/model.vkdet
    rm -f "$container"
    ours "$vkdet" convert -q "$network" --card "$card" --output "$container"
    ;;
esac

# part NAME ARGUMENT...: one run of vkdet bench, as text on the screen and as JSON, CSV and text in the folder. What goes
# wrong in one part does not keep the others from running.
part() {
    name=$1
    shift
    rm -f "$out/$name.json" "$out/$name.csv" "$out/$name.txt" "$out/$name.html"
    if [ "$(left)" -le 5 ]; then
        omitted="$omitted $name"
        return 0
    fi
    printf '\n== %s\n' "$name"
    status=0
    ours "$vkdet" bench -q -m "$container" --device "$device" --tune "$tune" --max-time "$seconds" \
        --min-time "$(awk "BEGIN { print $seconds / 2 }")" --json "$@" >"$out/$name.json" || status=$?
    if [ -s "$out/$name.json" ]; then
        ours "$vkdet" bench -q --from "$out/$name.json" --report "$out/$name.html" >"$out/$name.txt" || true
        ours "$vkdet" bench -q --from "$out/$name.json" --csv >"$out/$name.csv" || true
        sed -n '/^$/,$p' "$out/$name.txt"
    fi
    [ "$status" -eq 0 ] || { echo "gpu.sh: $name ended with status $status" >&2; result=$status; }
}

# PyTorch on the same device, the same network and input; its outputs are compared with the reference first.
torch_rows() {
    rm -f "$out/torch.txt" "$out/torch.json"
    case "$network" in
    *.json) ;;
    *) echo "gpu.sh: no rows of torch: the network is no model.json" >&2; return 0 ;;
    esac
    if ! "$python" -c 'import torch, numpy' 2>/dev/null; then
        echo "gpu.sh: no rows of torch: $python has no torch and numpy" >&2
        return 0
    fi
    if [ "$(left)" -le 30 ]; then
        omitted="$omitted torch"
        return 0
    fi
    printf '\n== torch\n'
    # a third of the time is for the parts that come after
    budget=$(($(left) * 2 / 3))
    set -- "$network" --batch "$batches" --seconds "$seconds" --budget "$budget" --json "$out/torch.json"
    if [ -x "$worker" ]; then
        # one input for both: noise
        "$python" "$here/bench/peers/torch_peer.py" "$network" --noise "$out/tensor"
        printf 'outputs %s\n' "$out/outputs" | ours "$worker" "$container" reference fp32 1 "$out/tensor" >/dev/null
        set -- "$@" --check "$out/outputs" --tensor "$out/tensor"
    fi
    timeout --foreground "$(left)" "$python" "$here/bench/peers/torch_peer.py" "$@" 2>"$out/torch.err" | tee "$out/torch.txt" || true
    [ -s "$out/torch.json" ] || { tail -n 5 "$out/torch.err" >&2; echo "gpu.sh: no rows of torch" >&2; }
}

# --- the summary ---------------------------------------------------------------------------------
# Rows of vkdet come from the CSV of its parts (name and value first, low and high after the unit; no field before those
# is ever quoted), those of torch from its lines.
summary_md() {
    for file in resident winograd upload latency server; do
        [ ! -s "$out/$file.csv" ] || sed "s/^/$file,/" "$out/$file.csv"
    done | awk -F , -v torch="$out/torch.txt" '
        function range(low, high) { return low == "" || high == "" ? "" : sprintf(" [%.5g to %.5g]", low, high) }
        function name(part) { return part[5] (part[2] == "cuda" ? "" : " on " part[2]) }
        $2 == "name" { next }
        $9 == "" && $16 != "" { withheld = withheld "\n- withheld: " $2; next }
        $1 == "latency" && $3 == "single-stream" { line[++lines] = sprintf("| single-stream, pixels to boxes, %s | %s | 1 | %.4g ms%s | | |", $8, $6, $9, range($11, $12)); next }
        $1 == "server" && $8 == "rate" { line[++lines] = sprintf("| server, pixels to boxes, p99 within %s ms | %s | %s | %.5g queries/s%s | | |", $18, $6, $7, $9, range($11, $12)); next }
        $8 == "throughput" {
            at = $1 SUBSEP $6
            if (!(at in best) || $9 > best[at] + 0) { best[at] = $9; batch[at] = $7; text[at] = range($11, $12) }
            if ($1 == "resident") ours[$6, $7] = $9
        }
        END {
            while ((getline row < torch) > 0) { # torch.cuda.fp16.b64.graph = 123 images/s ...
                n = split(row, word, " ")
                if (n < 3 || split(word[1], part, ".") != 5 || word[2] != "=") continue
                b = substr(part[4], 2)
                if (word[3] > theirs[part[3], b] + 0) { theirs[part[3], b] = word[3]; way[part[3], b] = name(part) }
                if (word[3] > peak[part[3]] + 0) { peak[part[3]] = word[3]; where[part[3]] = b; how[part[3]] = name(part) }
            }
            print "| what | precision | batch | vkdet [95 %] | PyTorch, same batch | ratio |\n| --- | --- | --- | --- | --- | --- |"
            what["resident"] = "device-resident"; what["upload"] = "pixels to boxes, with upload"
            what["winograd"] = "device-resident, --winograd always"
            wishes = split("resident,fp16 resident,fp32 winograd,fp32 upload,fp16 upload,fp32", wanted, " ")
            for (k = 1; k <= wishes; k++) {
                split(wanted[k], of, ",")
                at = of[1] SUBSEP of[2]
                if (!(at in best)) continue
                p = of[2]; b = batch[at]; beside = "| |"; without = ""
                if (of[1] == "winograd" && ours[p, b] > 0)
                    without = sprintf(" (without, same batch: %.6g)", ours[p, b])
                if (of[1] != "upload" && theirs[p, b] > 0)
                    beside = sprintf("%.6g (%s) | %.2f |", theirs[p, b], way[p, b], best[at] / theirs[p, b])
                printf "| %s, best batch | %s | %s | %.6g images/s%s%s | %s\n", what[of[1]], p, b, best[at], text[at], without, beside
            }
            for (p in peak) if (ours[p, where[p]] > 0)
                printf "| device-resident, best batch of PyTorch | %s | %s | %.6g images/s | %.6g (%s) | %.2f |\n", p, where[p], ours[p, where[p]], peak[p], how[p], ours[p, where[p]] / peak[p]
            for (i = 1; i <= lines; i++) print line[i]
            print withheld
        }'
}

summary() {
    {
        sed -n '1,/^$/p' "$out/resident.txt" 2>/dev/null | grep -E '^(vkdet|date|cpu|model|input|rules|device\.|host_after\.nvidia)' |
            sed 's/ *= /: /; s/^/- /'
        # shellcheck disable=SC2016
        printf -- '- options: `-B %s -t %s -d %s -T %s`; parts left out for want of time:%s\n\n' "$batches" "$seconds" "$device" "$tune" "${omitted:- none}"
        summary_md
    } >"$out/summary.md"
    {
        separator='{'
        for file in resident winograd upload latency server layers torch; do
            [ -s "$out/$file.json" ] || continue
            printf '%s"%s":' "$separator" "$file"
            cat "$out/$file.json"
            separator=,
        done
        [ "$separator" = , ] || printf '{'
        printf '}\n'
    } >"$out/summary.json"
    printf '\n== summary\n'
    cat "$out/summary.md"
}

cat "$out/devices.txt"
nvidia-smi >"$out/nvidia-smi.txt" 2>&1 || echo "not readable" >"$out/nvidia-smi.txt"
# what matters most comes first
part resident --precision fp32,fp16 --batch "$batches" --scenario offline --stage device --slots 4
part upload --precision fp32,fp16 --batch "$batches" --scenario offline --stage pixels --slots 4
part latency --precision fp32,fp16 --scenario single-stream --stage pixels
# batch 1 and the two largest
some=$(printf '%s' "$batches" | sed 's/.*,\([^,]*,[^,]*\)$/1,\1/; s/^1,1,/1,/')
part winograd --precision fp32 --winograd always --batch "$some" --scenario offline --stage device --slots 4
torch_rows
part layers --precision fp32,fp16 --batch "$some" --layers --peak
part server --precision fp16 --batch 16 --scenario server --latency-bound 5 --slots 4
summary
printf '\ngpu.sh: everything is in %s, in %s s\n' "$out" "$(($(date +%s) - began))"
exit "$result"
