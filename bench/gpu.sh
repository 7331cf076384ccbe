#!/bin/sh
# gpu.sh [OPTION]...: every row that docs/performance.md has for a real GPU, in one command, from a tree that was built
# elsewhere: no network, no compiler, no shader compiler. Text, JSON and HTML go into the output folder.
#
#   -b DIR      build folder                                  (build/release)
#   -o DIR      output folder                                 (build/gpu)
#   -d DEVICE   as vkdet devices lists them                   (vulkan:0)
#   -m FILE     network: a .vkdet, or a TensorFlow.js model.json (models/street-320/model.json)
#   -c FILE     its card, with a model.json                   (card.json beside it)
#   -B LIST     batches                                       (1,2,4,8,16,32,64,128,256)
#   -t SECONDS  longest time of one measurement               (3)
#   -p PYTHON   with PyTorch, for its rows; needs a model.json (python3)
#   -q          quickly, to see that everything works: two batches, a tenth of the time
#
# Everything is compared with the reference before it is timed; exit status 6: a score was withheld.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$here/build/release
out=$here/build/gpu
device=vulkan:0
network=$here/models/street-320/model.json
card=''
batches=1,2,4,8,16,32,64,128,256
seconds=3
python=python3
while getopts b:o:d:m:c:B:t:p:q option; do
    case "$option" in
    b) build=$OPTARG ;;
    o) out=$OPTARG ;;
    d) device=$OPTARG ;;
    m) network=$OPTARG ;;
    c) card=$OPTARG ;;
    B) batches=$OPTARG ;;
    t) seconds=$OPTARG ;;
    p) python=$OPTARG ;;
    q) batches=1,4 seconds=0.3 ;;
    *)
        sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
done
vkdet=$build/host/cli/vkdet
worker=$build/bench/vkdet_worker
[ -x "$vkdet" ] || { echo "gpu.sh: $vkdet is not there: build first, or name the build folder with -b" >&2; exit 2; }
mkdir -p "$out"
XDG_CACHE_HOME=$out/cache
export XDG_CACHE_HOME
result=0

container=$network
case "$network" in
*.json)
    container=$out/model.vkdet
    "$vkdet" convert -q "$network" --card "${card:-$(dirname -- "$network")/card.json}" --output "$container"
    ;;
esac

# part NAME ARGUMENT...: one run of vkdet bench, as text on the screen and as JSON and text in the folder. What goes
# wrong in one part does not keep the others from running.
part() {
    name=$1
    shift
    printf '\n== %s\n' "$name"
    status=0
    "$vkdet" bench -m "$container" --device "$device" --max-time "$seconds" --min-time "$(awk "BEGIN { print $seconds / 3 }")" \
        --json "$@" >"$out/$name.json" || status=$?
    if [ -s "$out/$name.json" ]; then
        "$vkdet" bench --from "$out/$name.json" --report "$out/$name.html" >"$out/$name.txt" || true
        sed -n '/^$/,$p' "$out/$name.txt"
    fi
    [ "$status" -eq 0 ] || { echo "gpu.sh: $name ended with status $status" >&2; result=$status; }
}

"$vkdet" devices | tee "$out/devices.txt"
nvidia-smi >"$out/nvidia-smi.txt" 2>&1 || echo "not readable" >"$out/nvidia-smi.txt"
for precision in fp32 fp16; do
    printf '\n== verify %s\n' "$precision"
    "$vkdet" verify "$container" --device "$device" --precision "$precision" >"$out/verify-$precision.txt" || result=$?
    tail -n 3 "$out/verify-$precision.txt"
done
part resident --precision fp32,fp16 --batch "$batches" --scenario offline --stage device --slots 4
part upload --precision fp32,fp16 --batch "$batches" --scenario offline --stage pixels --slots 4
part latency --precision fp32,fp16 --scenario single-stream --stage pixels
part server --precision fp16 --batch 16 --scenario server --latency-bound 5 --slots 4
# the steps, and torch (whose compiler takes a minute a row), at batch 1 and the two largest
some=$(printf '%s' "$batches" | sed 's/.*,\([^,]*,[^,]*\)$/1,\1/')
part layers --precision fp32,fp16 --batch "$some" --layers --peak

if [ "${network%.json}" != "$network" ] && "$python" -c 'import torch, numpy' 2>/dev/null; then
    printf '\n== torch\n'
    set -- "$network" --batch "$some" --seconds "$seconds" --json "$out/torch.json"
    if [ -x "$worker" ]; then
        # one input for both: noise
        "$python" - "$network" "$out/tensor" <<'PY'
import json, sys
import numpy
layers = json.load(open(sys.argv[1]))["modelTopology"]["model_config"]["config"]["layers"]
shape = next(l["config"]["batch_input_shape"] for l in layers if l["class_name"] == "InputLayer")
numpy.random.default_rng(1).random(shape[1:], numpy.float32).tofile(sys.argv[2])
PY
        printf 'outputs %s\n' "$out/outputs" | "$worker" "$container" reference fp32 1 "$out/tensor" >/dev/null
        set -- "$@" --check "$out/outputs" --tensor "$out/tensor"
    fi
    "$python" "$here/bench/peers/torch_peer.py" "$@" 2>"$out/torch.err" | tee "$out/torch.txt" || true
    [ -s "$out/torch.json" ] || { tail -n 5 "$out/torch.err" >&2; echo "gpu.sh: no rows of torch" >&2; }
else
    echo "gpu.sh: no rows of torch: $python has no torch and numpy, or the network is no model.json" >&2
fi
printf '\ngpu.sh: everything is in %s\n' "$out"
exit "$result"
