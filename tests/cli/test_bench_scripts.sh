#!/bin/sh
# test_bench_scripts.sh VKDET CLI_FIXTURE SOURCE: the scripts in bench/, from outside: what is wrong with the arguments is one
# line and status 2, before anything is packed, installed or run; and all rows of a GPU, packed and then run on the reference.
root=$3
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy
build=$(CDPATH='' cd -- "$(dirname -- "$vkdet")/../.." && pwd)

# refused STATUS REASON COMMAND...: in one line, and nothing else is said
refused() {
    status=$1
    reason=$2
    shift 2
    expect "$status" "$@"
    says "$reason"
    lines err 1
    [ ! -s out ] || fail "output beside: $reason"
}

# --- gpu.sh
gpu() { sh "$root/bench/gpu.sh" -b "$build" "$@"; }
mkdir network
printf '{"weightsManifest":[{"paths":[\n"group1-shard1of2",\n"absent.bin"]}]}' >network/model.json
: >network/group1-shard1of2
: >network/card.json
echo '{}' >network/empty.json
: >network/model.onnx
printf '{"weightsManifest":[{"paths":["../toy.vkdet"]}]}' >network/up.json
printf '{"weightsManifest":[{"paths":["/etc/passwd"]}]}' >network/root.json
for row in "there is no option -z:-z" "-B takes a value:-B" "-B 1,x: up to 32:-B 1,x" "-B 0: up to 32:-B 0" \
    "-B 1,,2: up to 32:-B 1,,2" "-B 5000: up to 32 whole numbers from 1 to 4096:-B 5000" "-B 99999999999999999999: up:-B 99999999999999999999" \
    "-B 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33: up to 32:-B $(seq -s , 33)" \
    "-t 86401: a number:-t 86401" "-l 08: a whole:-l 08" "-l 99999999999999999999: a whole:-l 99999999999999999999" "-t 0.0: a number:-t 0.0" "-t 1s: a number:-t 1s" "-t 1.2.3: a number:-t 1.2.3" \
    "-l 1.5: a whole number:-l 1.5" "-T hard: off, quick or full:-T hard" "-D tpu: cuda or cpu:-D tpu" "-c goes after:-c network/card.json" "more: options are all:more" \
    "none.vkdet is no file:-m none.vkdet" "network is no file:-m network" "model.onnx: neither:-m network/model.onnx" \
    "nocard is no file:-m network/model.json -c nocard" "absent.bin is no file:-m network/model.json" \
    "up.json@ ../toy.vkdet is not a path inside:-m network/up.json -c network/card.json" \
    "root.json@ /etc/passwd is not a path inside:-m network/root.json -c network/card.json" "names no files of weights:-m network/empty.json -c network/card.json" "-c goes with:-m toy.vkdet -c network/card.json"; do
    # shellcheck disable=SC2086
    refused 2 "$(printf '%s' "${row%:*}" | tr @ :)" gpu -k "$work/never" -o "$work/never" ${row##*:}
    [ ! -e never ] || fail "a folder was made before the arguments were read: $row"
done
refused 2 "host/cli/vkdet is not there" sh "$root/bench/gpu.sh" -b "$work/network" -m toy.vkdet
refused 2 "-p none: no Python" gpu -p none -m toy.vkdet -o "$work/never"
[ ! -e never ] || fail "a folder was made before Python was looked for"
if command -v python3 >/dev/null; then
    refused 2 "-d vulkan:99: vkdet devices" gpu -d vulkan:99 -m toy.vkdet -o "$work/where"
    [ ! -e where/toy.resident.json ] || fail "ran for a device that is not there"
    refused 5 "toy.vkdet/o cannot be made" gpu -m toy.vkdet -o "$work/toy.vkdet/o"
    refused 2 "two networks are called toy" gpu -d reference -m toy.vkdet -m toy.vkdet -o "$work/twice"
fi
expect 0 gpu -h
grep -q -- '-k DIR' out || fail "gpu.sh does not say how it is used"
if grep -q 'set -eu' out; then fail "gpu.sh shows its code"; fi

# all rows: packed, then run from the packed folder; the reference has no fp16, which ends in status 3
# row TEXT: summary.md has it, as a pattern in which | is a bar
row() { grep -qE "^\\| $(printf '%s' "$1" | sed 's/|/\\|/g')" packed/out/summary.md || fail "no row: $1"; }
loader() { PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1 '; }
if [ -x "$build/bench/vkdet_worker" ] && command -v python3 >/dev/null && loader; then
    python=${VKDET_TEST_PYTHON:-python3}
    # what cannot be packed is said, and nothing is left behind
    mkdir noloader lacking
    printf '#!/bin/sh\n' | tee noloader/ldconfig >noloader/ldd
    printf '#!/bin/sh\necho "libgone.so.1 => not found"\n' >lacking/ldd
    chmod +x noloader/ldconfig noloader/ldd lacking/ldd
    refused 2 "libvulkan.so.1 is not found" env PATH="$work/noloader:$PATH" sh "$root/bench/gpu.sh" -b "$build" -k "$work/packed" -m "$work/toy.vkdet"
    refused 2 "libgone.so.1: not found" env PATH="$work/lacking:$PATH" sh "$root/bench/gpu.sh" -b "$build" -k "$work/packed" -m "$work/toy.vkdet"
    [ ! -e packed ] || fail "packed without a library"
    # weights in a folder of their own, and ldconfig not on the path
    mkdir -p deep/sub
    cp card.json deep/
    cp weights.bin deep/sub/w.bin
    sed 's|"paths": *\["weights.bin"\]|"paths":["sub/w.bin"]|' model.json >deep/model.json
    expect 0 env PATH=/usr/bin:/bin sh "$root/bench/gpu.sh" -b "$build" -k "$work/packed" -m "$work/deep/model.json"
    cmp -s weights.bin packed/network/1/sub/w.bin || fail "the folder of the weights is not kept"
    [ -e packed/lib/libvulkan.so.1 ] || fail "packed without the loader"
    expect 0 sh packed/bench/gpu.sh -q -d reference -l 0 # finds all of it, and has no time
    rm -r packed
    expect 0 gpu -k "$work/packed" -m "$work/toy.vkdet" -m "$work/model.json"
    refused 5 "packed is there already" gpu -k "$work/packed" -m "$work/toy.vkdet"
    refused 2 "two networks are called toy" sh packed/bench/gpu.sh -d reference
    rm -r packed
    expect 0 gpu -k "$work/packed" -m "$work/model.json"
    expect 3 sh packed/bench/gpu.sh -t 0.05 -B 2,1 -q -d reference -l 200 -D cpu -p "$python"
    for what in 'device-resident, best batch | fp32 | [12] | [0-9.]+ images/s' 'server, pixels to boxes.* | fp16 | +| not measured' \
        'pixels to boxes, with upload, best batch | fp32 | [12] | [0-9.]+ images/s' 'device-resident | fp16 | +| not measured' \
        'device-resident, --winograd always, best batch | fp32 | [12] | [0-9.]+ images/s' 'arena a picture | fp32 | 1 | ' \
        'JPEG of the network.s size to boxes, best batch | fp32 | 2 | [0-9.]+ images/s' \
        'single-stream, pixels to boxes, p50 | fp32 | 1 | [0-9.]+ ms' \
        'H200 fp16, device-resident, best batch | 30000 images/s | 100000 images/s | not measured | not measured |'; do
        row "$what"
    done
    grep -q 'options: -B 1,2 -t 0.05 ' packed/out/summary.md || fail "-B and -t are not what counts"
    grep -q 'left out for want of time: none$' packed/out/summary.md || fail "parts left out"
    grep -q 'in error (status): toy.resident (3) toy.upload (3) ' packed/out/summary.md || fail "parts in error go unsaid"
    python3 -c 'import json, sys
document = json.load(open("packed/out/summary.json"))
assert any(goal["row"] == "gpu.resident.fp16" and goal["verdict"] == "not measured" for goal in document["goals"])
assert any(row["row"] == "resident.fp32" and row["value"] > 0 for row in document["rows"])
assert document["documents"]["toy.resident"]["tool"] == "vkdet bench"' || fail "the summary of JSON"
    if "$python" -c 'import torch, numpy' 2>/dev/null; then
        row 'fp32 | 2 | vkdet | [0-9.]+ images/s'
        row 'fp32 | 1 | plain | [0-9.]+ images/s \[[0-9.]+ to [0-9.]+\] | [0-9.]+ \[[0-9.]+ to [0-9.]+\] |'
        row 'fp16 | 2 | vkdet | not measured | +| .*fp16'
        row 'beside the fastest PyTorch | fp32 | 2 | [0-9.]+ x \['
    else
        grep -q 'no rows of PyTorch: .* has no torch and numpy' err || fail "rows of PyTorch go unsaid"
        grep -q 'in turn with PyTorch: not measured' packed/out/summary.md || fail "rows of PyTorch go unsaid in the summary"
        echo "SKIPPED cli_bench_scripts, the rows of PyTorch: $python has no torch and numpy (VKDET_TEST_PYTHON names another)"
    fi
    expect 0 sh packed/bench/gpu.sh -q -d reference -l 0 -p "$python"
    grep -q 'want of time: toy.resident toy.upload toy.latency.* toy.server toy.bytes toy.winograd toy.layers$' packed/out/summary.md ||
        fail "parts left out go unsaid"
    row 'device-resident | fp32 | +| not measured |'
else
    echo "SKIPPED cli_bench_scripts, the rows of gpu.sh: no python3, no libvulkan.so.1, or this build has no bench/vkdet_worker"
fi

# --- engines in turn, and goals: the documentation's table is that of bench/goals.csv, with the verdicts of its figures
if command -v python3 >/dev/null; then
    expect 0 python3 "$root/bench/goals.py" check "$root/docs/performance.md"
    sed 's/^| llvmpipe 26.2, the same | 2.5 x/| llvmpipe 26.2, the same | 2 x/; /^| H200 fp32, device/d; /^| cpu bf16, b/s/| stretch met/| met/' \
        "$root/docs/performance.md" >wrong.md
    expect 1 python3 "$root/bench/goals.py" check wrong.md
    says "llvmpipe 26.2, the same: ['2 x', '4 x'], not ['2.5 x', '4 x']"
    says "no row of goals: H200 fp32, device-resident, best batch"
    says "is stretch met, not met"
    lines err 3
    expect 2 python3 "$root/bench/goals.py"
    expect 3 python3 "$root/bench/goals.py" check absent.md
    says "goals.py: [Errno 2] No such file or directory: 'absent.md'"
fi
python=${VKDET_TEST_PYTHON:-python3}
if "$python" -c 'import numpy' 2>/dev/null; then
    expect 0 "$python" "$root/tests/cli/test_engines.py" "$root"
    # a torch that cannot be loaded, which no machine's own is in the way of
    mkdir broken
    echo 'raise ImportError("libgone is not there")' >broken/torch.py
    printf '#!/bin/sh\nprintf "\\377\\376\\n"\n' >binary
    chmod +x binary
    broken() { env PYTHONPATH="$work/broken" "$python" "$root/bench/peers/torch_turns.py" --torch-device cpu --device reference "$@"; }
    refused 1 "an answer that is none" broken --worker ./binary --network toy=toy.vkdet,model.json
    refused 1 "empty.json is no layers model" broken --worker ./binary --network toy=toy.vkdet,network/empty.json
    if [ -x "$build/bench/vkdet_worker" ]; then
        expect 0 broken --worker "$build/bench/vkdet_worker" --network toy=toy.vkdet,model.json --batch 1 --precision fp32 \
            --rounds 1 --seconds 0.05
        for way in plain compile autotune; do
            grep -q "^toy.fp32.b1.$way *not measured: ImportError: libgone is not there\$" out || fail "no reason why $way is not measured"
        done
        grep -q '^toy.fp32.b1.vkdet .* images/s' out || fail "vkdet has no row"
    fi
else
    echo "SKIPPED cli_bench_scripts, engines in turn: $python has no numpy (VKDET_TEST_PYTHON names another)"
fi

# --- torch_turns.py: the same, and it needs no modules for that
if command -v python3 >/dev/null; then
    printf '#!/bin/sh\n' >worker
    chmod +x worker
    turns() { python3 -S -E "$root/bench/peers/torch_turns.py" --worker ./worker --network "toy=toy.vkdet,model.json" "$@"; }
    for row in "--worker@ none is no program:--worker none" "--network@ none is no file:--network x=none,model.json" \
        "--network@ none is no file:--network x=toy.vkdet,none" "a NAME is of:--network s/x=toy.vkdet,model.json" \
        "a NAME is of:--network $work/x=toy.vkdet,model.json" "two are called toy:--network toy=toy.vkdet,model.json" \
        "whole numbers from 1 to 4096:--batch x" "whole numbers from 1 to 4096:--batch 1,5000" "--rounds@ invalid:--rounds 0" \
        "--json@ /nope/x cannot be written:--json /nope/x" "--ways@ there is no foo on cuda:--ways graph,foo" \
        "--ways@ there is no graph on cpu:--torch-device cpu --ways graph" "fp16 or fp32:--precision fp32,fp99" \
        "--seconds@ invalid:--seconds 0" "--libraries@ none is no folder:--libraries none" "no module numpy and no module torch:"; do
        # shellcheck disable=SC2086
        refused 2 "$(printf '%s' "${row%:*}" | tr @ :)" turns ${row##*:}
    done
    [ ! -e x.tensor ] || fail "wrote beside its folder"
fi

# --- the document's commands: its scripts can be run, and its case is one
sed -n '/^## Repeat it/,/^## Figures/p' "$root/docs/performance.md" | grep -oE 'bench/[a-z_/]+\.(sh|py)' | sort -u >scripts
[ -s scripts ] || fail "the document has no script"
while read -r script; do
    [ -x "$root/$script" ] || fail "$script cannot be run"
done <scripts
if [ -x "$build/bench/kernel_bench" ]; then
    part=$(sed -n 's/.*kernel_bench -b 8 "\([^"]*\)".*/\1/p' "$root/docs/performance.md")
    expect 0 "$build/bench/kernel_bench" -l "$part"
    if [ -z "$part" ] || [ ! -s out ]; then fail "kernel_bench has no case \"$part\""; fi
fi

# --- peers.sh: nothing is installed for arguments that are wrong
if command -v python3 >/dev/null; then
    : >net.param
    : >net.onnx
    : >tensor
    peers() { sh "$root/bench/peers/peers.sh" --venv "$work/venv" "$@"; }
    for row in "--worker: none is no program:--worker none --model toy.vkdet" "--worker: toy.vkdet is no program:--worker toy.vkdet --model toy.vkdet" \
        "required@ --worker, --model:" "unrecognized arguments@ --wurker:--worker ./worker --model toy.vkdet --wurker" \
        "--model: none is no file:--worker ./worker --model none" "argument --model@ expected one argument:--worker ./worker --model" \
        "--rounds@ invalid:--worker ./worker --model toy.vkdet --rounds 0" "--seconds@ invalid:--worker ./worker --model toy.vkdet --seconds nan" \
        "--size@ invalid:--worker ./worker --model toy.vkdet --size 260x260" "--threads@ invalid:--worker ./worker --model toy.vkdet --threads two" \
        "--onnx: none is no file:--worker ./worker --model toy.vkdet --onnx none" "--ncnn-param: net.bin is no file:--worker ./worker --model toy.vkdet --ncnn-param net.param" \
        "--tensor: tensor has 0 floats:--worker ./worker --model toy.vkdet --tensor tensor" "--rows: there is no ncnn-tpu:--worker ./worker --model toy.vkdet --rows ncnn-tpu" \
        "--rows: ncnn-cpu needs --ncnn-param:--worker ./worker --model toy.vkdet --rows vkdet-cpu,ncnn-cpu" \
        "--rows: onnxruntime-cpu needs --onnx:--worker ./worker --model toy.vkdet --rows onnxruntime-cpu" \
        "--wrapper: none is no program:--worker ./worker --model toy.vkdet --wrapper none" "--json: pics cannot be written:--worker ./worker --model toy.vkdet --json pics"; do
        # shellcheck disable=SC2086
        refused 2 "$(printf '%s' "${row%:*}" | tr @ :)" peers ${row##*:}
    done
    refused 2 "--wrapper: a blank is no program" peers --worker ./worker --model toy.vkdet --wrapper " "
    refused 2 "--venv takes a folder" sh "$root/bench/peers/peers.sh" --venv
    expect 0 peers --help
    grep -q -- '--ncnn-param' out || fail "peers.sh does not say how it is used"
    [ ! -e venv ] || fail "made an environment for nothing"
else
    echo "SKIPPED cli_bench_scripts, peers.sh: no python3"
fi
