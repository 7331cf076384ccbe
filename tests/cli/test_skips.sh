#!/bin/sh
# test_skips.sh CMAKE CTEST SOURCE BUILD CC GENERATOR PKG_CONFIG: a build folder of a machine that has none of the
# optional libraries and drivers lists the same tests as this one, and what cannot be run there as skipped, with the
# reason. It is configured only, not built.
set -eu
cmake=$1 ctest=$2 source=$3 build=$4 cc=$5 generator=$6
real=$7
export real
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

cat >"$work/pkg-config" <<'END'
#!/bin/sh
case " $* " in
*libmicrohttpd* | *libpng* | *libjpeg* | *libwebp*) exit 1 ;;
esac
exec "$real" "$@"
END
chmod +x "$work/pkg-config"
PKG_CONFIG=$work/pkg-config "$cmake" -S "$source" -B "$work/build" -G "$generator" -DCMAKE_C_COMPILER="$cc" \
    -DVKDET_CPU_DEVICE=OFF -DVKDET_BUILTIN_MODEL=OFF -DVKDET_SWIFTSHADER_ICD=OFF >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; fail "it does not configure"; }

names() { "$ctest" --test-dir "$1" -N | sed -n 's/^ *Test *#[0-9]*: //p' | sort; }
# those on cooperative matrices are there where a driver was named, and those on SwiftShader where it is installed
names "$build" | grep -v -e '\.matrix' >"$work/here"
names "$work/build" | grep -v -e '\.matrix' >"$work/there"
[ "$(wc -l <"$work/here")" -gt 100 ] || fail "$build lists few tests"
diff "$work/here" "$work/there" >&2 || fail "without the optional libraries other tests are listed"

for test in test_serve_memory serve_hostile test_image_decode cpu_loops test_builtin test_golden.cpu test_golden.swiftshader; do
    "$ctest" --test-dir "$work/build" -R "^$test\$" >"$work/said" 2>&1 || { cat "$work/said" >&2; fail "$test fails"; }
    grep -q 'Skipped' "$work/said" || fail "$test is not skipped"
    grep -q "^SKIPPED $test: ." "$work/build/Testing/Temporary/LastTest.log" || fail "$test is skipped without its name and reason"
done
