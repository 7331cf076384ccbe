#!/bin/sh
# serve_load.sh VKDET DEVICE [SECONDS [CONNECTIONS [BATCH]]]: vkdet serve under load from wrk (Debian: wrk), beside
# vkdet bench offline on the same device and picture.
#
# First SECONDS of good pictures alone, whose rate is set against offline; then SECONDS with every 20th request no picture
# and every 500th a body over the limit, while other clients are killed at random. Every good answer is compared with the
# program's line. The picture is of the network's input size and not compressed (PPM), so that it is the server that is
# measured and not a decoder. Client and server share the machine: processor seconds of both are told, for both rates.
set -eu
vkdet=$1
device=$2
seconds=${3:-60}
connections=${4:-64}
batch=${5:-8}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
command -v wrk >/dev/null || { echo 'serve_load: needs wrk (Debian: wrk)' >&2; exit 77; }

work=$(mktemp -d)
server=''
killer=''
cleanup() {
    [ -z "$killer" ] || kill "$killer" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap cleanup EXIT

# a scene in the network's size, drawn by a fixed rule: it has detections or it has not, the answer is compared anyway
scene=$here/../models/street-320/samples/street0003.png
"$vkdet" detect --quiet --device "$device" "$scene" >/dev/null
awk 'BEGIN { printf "P6 320 320 255\n" }' >"$work/load"
awk 'BEGIN { for (i = 0; i < 320 * 320; i++) printf "%c%c%c", 65 + i % 50, 40 + int(i / 320) % 80, 90 + (i * 7) % 30 }' >>"$work/load"
(cd "$work" && "$vkdet" detect --quiet --conf 0.05 --device "$device" load >/dev/null && "$vkdet" detect --quiet --device "$device" load >wanted)
cp "$work/load" "$work/good"

processor_seconds() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); print ($12 + $13) / hz }' "/proc/$1/stat"; }
metric() { curl -fs "$address/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }
value() { awk -v name="$1" '$1 == name { print $2 }' "$2"; }

echo "== offline: vkdet bench, batch $batch"
"$vkdet" bench --device "$device" --scenario offline --stage bytes,pixels --batch "$batch" "$work/load" | tee "$work/offline"

"$vkdet" serve --port 0 --device "$device" --max-batch "$batch" --max-body 1048576 >"$work/address" 2>"$work/said" &
server=$!
while [ ! -s "$work/address" ]; do
    kill -0 "$server" || { cat "$work/said" >&2; exit 1; }
    sleep 0.1
done
address=$(cat "$work/address")
export LOAD_FOLDER="$work" LOAD_LARGE=1200000

# load NAME SECONDS
load() {
    before=$(processor_seconds "$server")
    began=$(metric process_resident_memory_bytes)
    /bin/sh -c 'wrk -t2 -c"$1" -d"$2" --timeout 30 -s "$3/serve_load.lua" "$4" >"$5/wrk"; times >"$5/times"' sh \
        "$connections" "$2" "$here" "$address" "$work"
    after=$(processor_seconds "$server")
    echo "== $1: $connections connections"
    grep -E '^(seconds|right|refused|oversized|rejected|wrong|socket|p50|p99|max|first)' "$work/wrk"
    awk -v a="$before" -v b="$after" 'BEGIN { printf "server_processor_seconds %.1f\n", b - a }'
    sed -n 2p "$work/times" | awk '{ n = 0; for (i = 1; i <= 2; i++) { split($i, p, /[ms]/); n += 60 * p[1] + p[2] } printf "client_processor_seconds %.1f\n", n }'
    echo "resident_bytes $began -> $(metric process_resident_memory_bytes)"
    [ "$(value wrong "$work/wrk")" -eq 0 ] || { echo 'serve_load: wrong answers' >&2; exit 1; }
    [ "$(value socket_errors "$work/wrk")" -eq 0 ] || { echo 'serve_load: socket errors' >&2; exit 1; }
}

LOAD_BAD=0 LOAD_OVERSIZED=0 load 'warm-up' 3 >/dev/null
LOAD_BAD=0 LOAD_OVERSIZED=0 load 'good pictures' "$seconds"
curl -fs "$address/metrics" | awk '/^vkdet_batch_size_(sum|count)/ { v[++n] = $2 } END { printf "mean_batch %.2f\n", v[1] / v[2] }'

# clients that die: by SIGKILL, in the midst of what they do
(
    while :; do
        LOAD_BAD=3 LOAD_OVERSIZED=11 wrk -t1 -c8 -d5 -s "$here/serve_load.lua" "$address" >/dev/null 2>&1 &
        client=$!
        sleep 0.7
        kill -KILL "$client"
    done
) 2>/dev/null &
killer=$!
LOAD_BAD=20 LOAD_OVERSIZED=500 load 'mixed, while other clients are killed' "$seconds"
kill "$killer"
killer=''
waited=0
while [ "$(metric vkdet_queue_length)" -ne 0 ] && [ "$waited" -lt 60 ]; do
    sleep 1
    waited=$((waited + 1))
done
for name in vkdet_queue_length vkdet_body_bytes vkdet_pixel_bytes; do
    echo "$name $(metric "$name")"
    [ "$(metric "$name")" -eq 0 ] || { echo 'serve_load: something is stuck' >&2; exit 1; }
done
curl -fs "$address/metrics" | grep '^vkdet_requests_total'
kill -TERM "$server"
wait "$server" || { echo "serve_load: the server ended with status $?" >&2; exit 1; }
server=''
