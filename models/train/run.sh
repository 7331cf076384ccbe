#!/bin/sh
# From photos to a model: run.sh DATA OUT [arguments of models.train.train]
# DATA holds maskset/ and cc0/ (either may be missing); OUT receives rendered/, last.pt, best.pt,
# curve.csv and export/ with model.json, weights.bin and card.json, packed as street-320.vkdet by the
# program that VKDET names, else the one that ./dev build made, else the one on the path.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: run.sh DATA OUT [--epochs N | --hours H] [--seed S] ..." >&2
    exit 2
fi
data=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
mkdir -p "$out/data"
for part in maskset cc0; do
    if [ -d "$data/$part" ]; then
        ln -sfn "$data/$part" "$out/data/$part"
    fi
done
"$python" -m models.train.render "$out/data/rendered" --count 250 --seed 100
OMP_NUM_THREADS=1 "$python" -m models.train.train --data "$out/data" --out "$out" "$@"
"$python" -m models.train.evaluate "$out/best.pt" --data "$out/data" --out "$out/val.ndjson"
"$python" -m models.train.export "$out/best.pt" "$out/export" --probe
vkdet=${VKDET:-}
if [ -z "$vkdet" ] && [ -x build/release/host/cli/vkdet ]; then
    vkdet=build/release/host/cli/vkdet
fi
vkdet=${vkdet:-vkdet}
if command -v "$vkdet" >/dev/null; then
    "$vkdet" convert "$out/export/model.json" --card "$out/export/card.json" \
        -o "$out/export/street-320.vkdet"
else
    echo "run.sh: no program $vkdet: export/ is not packed (./dev build makes one, VKDET names another)" >&2
fi
