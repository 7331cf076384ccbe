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
for row in "there is no option -z:-z" "-B takes a value:-B" "-B 1,x: whole numbers:-B 1,x" "-B 0: whole numbers:-B 0" \
    "-B 1,,2: whole numbers:-B 1,,2" "-t 0.0: a number:-t 0.0" "-t 1s: a number:-t 1s" "-t 1.2.3: a number:-t 1.2.3" \
    "-l 1.5: a whole number:-l 1.5" "-T hard: off, quick or full:-T hard" "more: options are all:more" \
    "none.vkdet is no file:-m none.vkdet" "network is no file:-m network" "model.onnx: neither:-m network/model.onnx" \
    "nocard is no file:-m network/model.json -c nocard" "absent.bin is no file:-m network/model.json" \
    "names no files of weights:-m network/empty.json -c network/card.json" "-c goes with:-m toy.vkdet -c network/card.json"; do
    # shellcheck disable=SC2086
    refused 2 "${row%:*}" gpu -k "$work/never" -o "$work/never" ${row##*:}
    [ ! -e never ] || fail "a folder was made before the arguments were read: $row"
done
refused 2 "host/cli/vkdet is not there" sh "$root/bench/gpu.sh" -b "$work/network" -m toy.vkdet
refused 2 "-d vulkan:99: vkdet devices" gpu -d vulkan:99 -m toy.vkdet -o "$work/where"
[ ! -e where/resident.json ] || fail "ran for a device that is not there"
refused 5 "toy.vkdet/o cannot be made" gpu -m toy.vkdet -o "$work/toy.vkdet/o"
expect 0 gpu -h
grep -q -- '-k DIR' out || fail "gpu.sh does not say how it is used"
if grep -q 'set -eu' out; then fail "gpu.sh shows its code"; fi

# all rows: packed, then run from the packed folder; the reference has no fp16, which ends in status 3
if [ -x "$build/bench/vkdet_worker" ]; then
    expect 0 gpu -k "$work/packed" -m "$work/toy.vkdet"
    refused 5 "packed is there already" gpu -k "$work/packed" -m "$work/toy.vkdet"
    expect 3 sh packed/bench/gpu.sh -q -t 0.05 -B 1,2 -d reference -l 100
    for row in 'device-resident, best batch | fp32 | [12]' 'pixels to boxes, with upload, best batch | fp32 | [12]' \
        'device-resident, --winograd always, best batch | fp32 | [12]' 'single-stream, pixels to boxes, p50 | fp32 | 1'; do
        grep -qE "^\\| $(printf '%s' "$row" | sed 's/|/\\|/g') \\| [0-9.]+ (images/s|ms)" packed/out/summary.md || fail "no row: $row"
    done
    grep -q 'left out for want of time: none$' packed/out/summary.md || fail "parts left out"
    grep -q '^{"resident":{' packed/out/summary.json || fail "the summary of JSON"
    expect 0 sh packed/bench/gpu.sh -q -d reference -l 0
    grep -q 'want of time: resident upload latency winograd layers server$' packed/out/summary.md || fail "parts left out go unsaid"
else
    echo "SKIPPED cli_bench_scripts, the rows of gpu.sh: this build has no bench/vkdet_worker"
fi

# --- peers.sh: nothing is installed for arguments that are wrong
if command -v python3 >/dev/null; then
    printf '#!/bin/sh\n' >worker
    chmod +x worker
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
    refused 2 "--venv takes a folder" sh "$root/bench/peers/peers.sh" --venv
    expect 0 peers --help
    grep -q -- '--ncnn-param' out || fail "peers.sh does not say how it is used"
    [ ! -e venv ] || fail "made an environment for nothing"
else
    echo "SKIPPED cli_bench_scripts, peers.sh: no python3"
fi
