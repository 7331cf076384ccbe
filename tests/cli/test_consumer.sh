#!/bin/sh
# test_consumer.sh VKDET CLI_FIXTURE BUILD CMAKE CC SANITIZE: installs into a temporary prefix, moves the tree, and
# builds and runs somebody else's program with find_package(vkdet) and with pkg-config; then looks at what the library
# exports and whether the installed program runs.
build=$3 cmake=$4 cc=$5 sanitize=$6
consumer=$(CDPATH='' cd -- "$(dirname -- "$0")/consumer" && pwd)
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

expect 0 "$cmake" --install "$build" --prefix "$work/first"
unit=$work/first/lib/systemd/system/vkdet.service
if [ -e "$unit" ]; then # where there is vkdet serve
    grep -qx "ExecStart=$work/first/bin/vkdet serve \$VKDET_OPTIONS" "$unit" || fail "the unit starts another program"
fi
mv first prefix # the tree can be moved
prefix=$work/prefix
library=$(find "$prefix" -name libvkdet.so)
[ -n "$library" ] || fail "no libvkdet.so"
folder=$(dirname -- "$library")
flags=${sanitize:+-fsanitize=$sanitize}
found='toy
mask 1.00 8 8 16 16'

expect 0 "$cmake" -S "$consumer" -B with-cmake -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_C_FLAGS="$flags"
expect 0 "$cmake" --build with-cmake
expect 0 with-cmake/consumer toy.vkdet
same "$found" out

export PKG_CONFIG_PATH="$folder/pkgconfig"
expect 0 pkg-config --exact-version "$("$vkdet" --version | sed 's/vkdet //')" vkdet
# shellcheck disable=SC2046
expect 0 "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror ${flags:+"$flags"} "$consumer/consumer.c" -o with-pkg-config \
    $(pkg-config --cflags --libs vkdet) "-Wl,-rpath,$folder"
expect 0 ./with-pkg-config toy.vkdet
same "$found" out
# the library's own model, where it carries one
if "$vkdet" inspect -q -m builtin >out 2>err; then
    expect 0 env -u VKDET_MODEL ./with-pkg-config
    [ "$(head -n 1 out)" = street-320 ] || fail "the consumer did not get the built-in model"
fi

readelf -d "$library" | grep -q 'SONAME.*\[libvkdet\.so\.0\]' || fail "soname"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | grep -vE '^(vkdet_[a-z0-9_]+|_init|_fini)$' >exported || true
[ -n "$sanitize" ] || [ ! -s exported ] || fail "exported besides vkdet_*: $(head -n 5 exported)"

expect 0 "$prefix/bin/vkdet" --version
same "$("$vkdet" --version)" out
expect 0 "$prefix/bin/vkdet" detect -q --device reference pics/two.ppm
if "$vkdet" inspect -q -m builtin >out 2>err; then
    expect 0 env -i "$prefix/bin/vkdet" detect -q --device reference --cache-dir '' pics/two.ppm
fi
[ -e "$prefix/share/man/man1/vkdet.1" ] || fail "the manual page is not installed"

# what the installed documents link to is installed
documents=$(find "$prefix/share/doc" -name '*.md')
[ -n "$documents" ] || fail "no documents are installed"
for document in $documents; do
    grep -o '](\([^)#]*\))' "$document" | sed 's/^](//; s/)$//' | grep -v '^https*:' >links || true
    while read -r link; do
        [ -e "$(dirname -- "$document")/$link" ] || fail "$document links to $link, which is not there"
    done <links
done
