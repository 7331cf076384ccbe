#!/bin/sh
# vkdet detect: results as documented, in input order, whatever the batch; failures told and counted.
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

detect() { "$vkdet" detect --device reference "$@"; }

expect 0 detect pics/two.ppm
silent
cat >wanted <<'END'
pics/two.ppm 64x64 mask:1.00@16,0,32,16 no_mask:1.00@32,48,48,64
END
"$fixture" ndjson out >summary
cmp -s summary wanted || fail "$(cat summary)"
# the head of a line is exactly the documented one
grep -q '^{"schema":1,"image":"pics/two.ppm","index":0,"width":64,"height":64,"orientation":1,"detections":\[{"class_id":0,"label":"mask","score":0\.99' out ||
    fail "form of a line"

# good, empty and failed inputs, one line each, in input order
expect 1 detect pics/red.ppm pics/text.jpg pics/empty.ppm pics/missing.png pics/zero.png pics/green.ppm pics/bomb.ppm
lines out 7
lines err 4
says 'pics/text.jpg'
says 'pics/missing.png'
says 'pics/zero.png'
says 'pics/bomb.ppm'
"$fixture" ndjson out >summary
cat >wanted <<'END'
pics/red.ppm 64x64 no_mask:1.00@48,48,64,64
pics/text.jpg error:image
pics/empty.ppm 48x48
pics/missing.png error:io
pics/zero.png error:image
pics/green.ppm 32x32 mask:1.00@8,8,16,16
pics/bomb.ppm error:limit
END
sed 's/error:unsupported/error:image/' summary | cmp -s - wanted || fail "$(cat summary)"

# the same bytes at every batch size and number of slots
set --
for _ in 1 2 3; do
    set -- "$@" pics/many.ppm pics/red.ppm pics/text.jpg pics/two.ppm pics/empty.ppm pics/missing.png pics/green.ppm
done
expect 1 detect "$@"
cp out base
lines base 21
for batch in 2 3 8 32; do
    for slots in 1 3; do
        expect 1 detect --batch "$batch" --slots "$slots" "$@"
        cmp -s out base || fail "batch $batch, slots $slots"
    done
done

# thresholds and labels
expect 0 detect --conf 0.999 pics/two.ppm
"$fixture" ndjson out | grep -qx 'pics/two.ppm 64x64' || fail "--conf 0.999"
expect 0 detect --conf 0 --max-det 16 pics/empty.ppm
[ "$("$fixture" ndjson out | tr ' ' '\n' | grep -c ':0.00@')" -eq 16 ] || fail "--conf 0"
expect 0 detect --max-det 1 pics/two.ppm
"$fixture" ndjson out | grep -qx 'pics/two.ppm 64x64 mask:1.00@16,0,32,16' || fail "--max-det 1"
expect 0 detect --labels zh pics/two.ppm
"$fixture" ndjson out | grep -q '口罩:1.00@16' || fail "--labels zh"
expect 2 detect --labels xx pics/two.ppm
says 'en, zh'
expect 1 detect --max-pixels 1000 pics/green.ppm pics/two.ppm
"$fixture" ndjson out >summary
lines err 2
for mode in tfjs tf tfjs-per-class tf-per-class; do
    expect 0 detect --nms-mode "$mode" --iou 0.5 pics/many.ppm
    [ "$("$fixture" ndjson out | tr ' ' '\n' | grep -c 'mask:1.00@')" -eq 16 ] || fail "--nms-mode $mode"
done

# the model and the device
expect 0 "$vkdet" detect -q --device reference -m toy.vkdet pics/two.ppm
expect 4 detect -m missing.vkdet pics/two.ppm
says 'missing.vkdet'
expect 4 detect -m pics/text.jpg pics/two.ppm
head -c 100 toy.vkdet >short.vkdet
expect 4 detect -m short.vkdet pics/two.ppm
expect 3 "$vkdet" detect --device vulkan:99 pics/two.ppm
says 'vulkan:99'
expect 3 "$vkdet" detect --device abacus pics/two.ppm
says 'abacus'
expect 0 "$vkdet" detect pics/two.ppm
says 'device '
expect 0 "$vkdet" detect -q pics/two.ppm
silent
