#!/bin/sh
# with_python.sh NAME SCRIPT [ARGUMENT]...: runs the script with python3, or the Python that VKDET_TEST_PYTHON names.
set -eu
name=$1
shift
python=${VKDET_TEST_PYTHON:-python3}
if ! command -v "$python" >/dev/null 2>&1; then
    echo "SKIPPED $name: needs $python"
    exit 77
fi
PYTHONDONTWRITEBYTECODE=1 exec "$python" "$@"
