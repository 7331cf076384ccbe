#!/bin/sh
# peers.sh [--venv DIR] ARGUMENT...: makes a Python environment with ncnn and ONNX Runtime (from PyPI, pinned in
# requirements.txt; needs the network once) and runs peers.py in it. --help lists the arguments; the usual call is
#
#     bench/peers/peers.sh --worker build/release/bench/vkdet_worker --model aizoo-260.vkdet \
#         --ncnn-param aizoo-opt.param --onnx aizoo.onnx
#
# VK_ICD_FILENAMES chooses the Vulkan driver, for vkdet and for ncnn alike.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/vkdet/peers-venv
if [ "${1:-}" = --venv ]; then
    [ -n "${2:-}" ] || { echo "peers: --venv takes a folder" >&2; exit 2; }
    venv=$2
    shift 2
fi
command -v python3 >/dev/null || { echo "peers: python3 is not there" >&2; exit 2; }
# before anything is installed; only --help says something
said=$(python3 "$here/arguments.py" "$@")
[ -z "$said" ] || { printf '%s\n' "$said"; exit 0; }
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
exec "$venv/bin/python" "$here/peers.py" "$@"
