#!/bin/sh
# The modules of the page without a browser: test_modules.sh SOURCE_FOLDER
set -eu
node=$(command -v node || command -v nodejs || true)
if [ -z "$node" ]; then
    echo "SKIPPED page_modules: needs node (Debian: nodejs)"
    exit 77
fi
major=$("$node" --version | sed 's/^v\([0-9]*\).*/\1/')
if [ "$major" -lt 18 ]; then
    echo "SKIPPED page_modules: needs node 18 or newer, this is $major"
    exit 77
fi
cd "$1/tests/browser"
exec "$node" --test unit/
