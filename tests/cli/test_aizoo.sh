#!/bin/sh
# test_aizoo.sh VKDET CLI_FIXTURE SOURCE DATA: AIZOO's detector and odd pictures through the whole program, where DATA
# (VKDET_TEST_DATA) has them.
source=$3 data=$4
for needed in models/aizoo-260/tfjs/model.json golden/aizoo-260/aizoo_demo/image.png photos/odd/base_rgb8.png; do
    if [ ! -e "$data/$needed" ]; then
        echo "SKIPPED cli_aizoo: needs $needed (VKDET_TEST_DATA)"
        exit 77
    fi
done
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"

expect 0 "$vkdet" convert -q "$data/models/aizoo-260/tfjs/model.json" --card "$source/models/cards/aizoo-260.json" \
    --output aizoo.vkdet
export VKDET_MODEL="$work/aizoo.vkdet"

# a software driver where there is one: the reference takes a second a picture
device=$("$vkdet" devices | sed -n 's/^\(vulkan:[0-9]*\) .*/\1/p' | head -n 1)
detect() { "$vkdet" detect -q --device "${device:-reference}" "$@"; }

expect 0 detect "$data/golden/aizoo-260/aizoo_demo/image.png"
"$fixture" ndjson out | sed 's/@[^ ]*//g' | cut -d ' ' -f 2- >got
same '520x686 no_mask:1.00 mask:1.00 no_mask:0.99' got

# every bad file is one error line and one failed result; every good one is a result
expect 1 detect --batch 4 "$data/photos/odd"
"$fixture" ndjson out >summary
grep -c ' error:' summary >failed || true
[ "$(wc -l <err)" -eq "$(cat failed)" ] || fail "error lines and failed results differ"
for name in bad_text.jpg bad_zero_bytes.jpg bad_zero_dims.png bad_2g_dims.png bad_header_only.jpg bomb_20000x20000_1bit.png; do
    grep -q "/$name error:" summary || fail "$name did not fail"
done
grep -E '/(base_|exif_|ok_|px1x1|tiny_|tall_|wide_|huge_)' summary | grep ' error:' >refused || true
[ ! -s refused ] || fail "good files were refused: $(cat refused)"
grep '/exif_orient_6.jpg' summary | grep -q 'mask' || fail "nothing found in a rotated picture"

# a batch that a device's buffers cannot hold is the device's limit, not the model's fault
software=$("$vkdet" devices | sed -n 's/^\(vulkan:[0-9]*\) *software .*/\1/p' | head -n 1)
if [ -n "$software" ]; then
    expect 3 "$vkdet" detect -q --device "$software" --batch 1024 --slots 16 "$data/photos/odd/base_rgb8.png"
    says 'a smaller batch needs less'
fi
