#!/bin/sh
# test_builtin.sh VKDET CLI_FIXTURE SOURCE: the model that the program carries, and which model is used: -m, else the
# operand, else VKDET_MODEL, else the built-in one.
source=$3
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
pictures=$source/models/street-320/samples
make_toy
unset VKDET_MODEL

# name [ARGUMENT]...: of the model that `vkdet inspect` takes
name() {
    expect 0 "$vkdet" inspect --json "$@"
    sed -n 's/^  "name": "\(.*\)",$/\1/p' out | head -n 1 >name
}

if ! "$vkdet" inspect >out 2>err; then
    # a program without one: says so, and which way out there is
    expect 4 "$vkdet" inspect
    says 'carries no model'
    says 'VKDET_MODEL'
    expect 4 "$vkdet" detect -m builtin pics/two.ppm
    says 'carries no model'
    expect 0 "$vkdet" detect -q -m toy.vkdet --device reference pics/two.ppm
    echo "SKIPPED cli_builtin: built with VKDET_BUILTIN_MODEL=OFF"
    exit 77
fi

# no file, no environment, any folder
mkdir elsewhere
cd elsewhere
expect 0 env -i "$vkdet" detect -q --device reference --cache-dir '' "$pictures"
lines out 4
"$fixture" ndjson out | grep -q ' no_mask:0.*mask:0\| mask:0.*no_mask:0' || fail "faces are missing"
cd ..

# who wins
name && same street-320 name
name -m builtin && same street-320 name
name builtin && same street-320 name
name toy.vkdet && same toy name
name -m toy.vkdet && same toy name
export VKDET_MODEL=toy.vkdet
name && same toy name
name -m builtin && same street-320 name
name builtin && same street-320 name
export VKDET_MODEL=builtin
name && same street-320 name
name toy.vkdet && same toy name
export VKDET_MODEL=
name && same street-320 name
export VKDET_MODEL=missing.vkdet
expect 4 "$vkdet" inspect
says 'missing.vkdet'
expect 4 "$vkdet" detect pics/two.ppm
says 'missing.vkdet'
name -m toy.vkdet && same toy name
unset VKDET_MODEL

# a file of that name needs its folder
cp toy.vkdet builtin
name builtin && same street-320 name
name ./builtin && same toy name
name -m ./builtin && same toy name

# MODEL once: behind -m, or as the first operand
expect 2 "$vkdet" inspect -m builtin toy.vkdet
says 'one operand too many: "toy.vkdet"'
expect 2 "$vkdet" plan -m builtin toy.vkdet
expect 2 "$vkdet" verify -m toy.vkdet pics/two.ppm pics/two.ppm
expect 0 "$vkdet" plan -m toy.vkdet --device reference
grep -q '^blocks ' out || fail "plan -m"
expect 0 "$vkdet" verify -m toy.vkdet --device reference pics/two.ppm
says 'every step is within its contract'
expect 0 "$vkdet" verify toy.vkdet --device reference pics/two.ppm
expect 0 "$vkdet" verify --device reference builtin "$pictures/street0003.png"

# how weights are stored
for type in exact fp16 fp32; do
    expect 0 "$vkdet" convert -q "$source/models/street-320/model.json" --card "$source/models/street-320/card.json" \
        --weights "$type" --output "$type.vkdet"
    expect 0 "$vkdet" inspect "$type.vkdet"
    grep -E '^(sha256|stored)' out | sed 's/  */ /' >"$type"
done
expect 0 "$vkdet" inspect
grep -E '^(sha256|stored)' out | sed 's/  */ /' >inside
cmp -s inside exact || fail "the built-in model is not the repository's"
cmp -s exact fp16 || fail "the repository's weights are not all halves"
grep -qx 'stored.f32_bytes 0' exact || fail "exact stores floats where halves would do"
grep -qx 'stored.f16_bytes 0' fp32 || fail "fp32 stores halves"
for type in exact fp32; do
    "$vkdet" detect -q --device reference -m "$type.vkdet" "$pictures/street0003.png" >"boxes-$type"
done
cmp -s boxes-exact boxes-fp32 || fail "boxes depend on how the same weights are stored"
expect 2 "$vkdet" convert model.json --card card.json --weights half --output x.vkdet
says '--weights "half": expected exact, fp16 or fp32'
[ ! -e x.vkdet ] || fail "a conversion that was refused left a file"
