#!/bin/sh
# test_val.sh VKDET CLI_FIXTURE SOURCE: the COCO figures of the toy model and of the repository's detector,
# classes and categories that differ, pictures that fail, results from a file, and what is refused.
source=$3
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

val() { "$vkdet" val --device reference --cache-dir '' "$@"; }
# value KEY: the first number of that name in the JSON document
value() { tr -d '\n' <out | grep -o "\"$1\":[-0-9.e]*" | head -n 1 | cut -d : -f 2; }
# has KEY NUMBER [KEY NUMBER]...
has() {
    while [ $# -gt 0 ]; do
        [ "$(value "$1")" = "$2" ] || fail "\"$1\" is $(value "$1"), not $2"
        shift 2
    done
}
# figures AP AP50 AR100
figures() {
    has ap "$1" ap_50 "$2" ar_100 "$3"
}

# truth NAME NAME [IMAGE]...: the four pictures with what is in them, more pictures with nothing
truth() {
    cat <<END
{"info": {"year": 2020}, "licenses": [],
 "annotations": [
  {"id": 0, "image_id": 5, "category_id": 4, "bbox": [16, 0, 16, 16], "area": 256, "iscrowd": 0},
  {"id": 1, "image_id": 5, "category_id": 2, "bbox": [32, 48, 16, 16], "area": 256, "iscrowd": 0},
  {"id": 2, "image_id": 1, "category_id": 2, "bbox": [48, 48, 16, 16], "area": 256, "iscrowd": 0},
  {"id": 3, "image_id": 30, "category_id": 4, "bbox": [8, 8, 8, 8], "area": 64, "iscrowd": 0}],
 "images": [
  {"id": 30, "file_name": "green.ppm", "width": 32, "height": 32},
  {"id": 5, "file_name": "two.ppm", "width": 64, "height": 64},
  {"id": 7, "file_name": "empty.ppm", "width": 48, "height": 48},
  {"id": 1, "file_name": "red.ppm", "width": 64, "height": 64}$3],
 "categories": [{"id": 4, "name": "$1"}, {"id": 2, "name": "$2"}]}
END
}

# everything is found, and in the order of COCO's own list
truth mask no_mask '' >all.json
expect 0 val -q --data all.json --images pics
silent
sed 's/  *$//' out >got
same 'data        4 pictures, 4 boxes and 0 crowds in 2 categories
model       toy 1
device      reference, scalar reference on the CPU, fp32
detections  4, scores above 0.01, overlap 0.5 (tfjs), at most 100 a picture

figure             IoU        area    boxes   value
average precision  0.50:0.95  all       100   1.000
average precision  0.50       all       100   1.000
average precision  0.75       all       100   1.000
average precision  0.50:0.95  small     100   1.000
average precision  0.50:0.95  medium    100  -1.000
average precision  0.50:0.95  large     100  -1.000
average recall     0.50:0.95  all         1   1.000
average recall     0.50:0.95  all        10   1.000
average recall     0.50:0.95  all       100   1.000
average recall     0.50:0.95  small     100   1.000
average recall     0.50:0.95  medium    100  -1.000
average recall     0.50:0.95  large     100  -1.000

category  boxes  crowds  found     AP   AP50
no_mask       2       0      2  1.000  1.000
mask          2       0      2  1.000  1.000' got

expect 0 val -q --data all.json --images pics --json
figures 1 1 1
has pictures 4 boxes 4 detections 4 ar_large -1
grep -q '"settings":{"conf":0.01,"iou":0.5,"nms_mode":"tfjs","max_det":100,"precision":"fp32"}' out || fail "settings"
grep -q '^{"id":2,"name":"no_mask","classes":\[1\],' out || fail "a category's line"
cp out one.json
expect 0 val -q --data all.json --images pics --json --batch 3 --slots 1
same "$(cat one.json)" out
expect 0 val -q --data all.json --images pics --json -c 0.9980
figures 0 0 0
expect 0 val -q --data all.json --images pics --json --max-det 1
figures 0.752475248 0.752475248 0.75

# other names: in another language, by --map, by id, or nothing of the kind
truth '口罩' 无 '' >zh.json
expect 0 val --data zh.json --images pics --json
silent
figures 1 1 1
truth mask without_mask '' >other.json
expect 0 val --data other.json --images pics --json
says 'classes without a category, their detections are left out: no_mask'
says 'categories without a class, their boxes count as missed: without_mask'
figures 0.5 0.5 0.5
has detections 2
for pair in no_mask=without_mask no_mask=2 1=without_mask 无=without_mask; do
    expect 0 val --data other.json --images pics --json --map "$pair"
    silent
    figures 1 1 1
done
expect 0 val --data all.json --images pics --json --map no_mask=
says 'left out: no_mask'
figures 0.5 0.5 0.5
expect 0 val -q --data all.json --images pics --json --map mask=no_mask --map no_mask=mask
figures 0 0 0
truth cat dog '' >pets.json
expect 2 val --data pets.json --images pics
says 'no class of the model (mask, no_mask) is a category of the ground truth (dog, cat): give --map'
truth mask mask '' >twice.json
expect 2 val --data twice.json --images pics
says '2 categories are named "mask": say which with --map CLASS=ID'
expect 0 val -q --data twice.json --images pics --json --map mask=4 --map no_mask=2
figures 1 1 1
for wrong in 'mask CLASS=CATEGORY' 'hat=mask no_class_"hat"' '2=mask no_class_"2"' 'mask=hat no_category_"hat"' \
    'mask=3 no_category_"3"'; do
    expect 2 val --data all.json --images pics --map "${wrong% *}"
    says "$(printf '%s' "${wrong##* }" | tr _ ' ')"
done
expect 2 val --data all.json --images pics --map mask= --map no_mask=
says 'val: --map leaves out every class of the model (mask, no_mask)'
expect 2 val --data all.json --images pics --map mask=mask --map 0=no_mask
says 'the class has been mapped before'

# pictures that fail are named and counted, and have no detections; names are names and no patterns
mkdir pics/folder
truth mask no_mask ',{"id":40,"file_name":"text.jpg"},{"id":41,"file_name":"missing.ppm"},
  {"id":42,"file_name":"folder"},{"id":43,"file_name":"*.ppm"},{"id":44,"file_name":"-"}' >bad.json
expect 1 val -q --data bad.json --images pics </dev/null
for name in text.jpg 'missing.ppm: No such file' 'folder: not a file' '*.ppm: No such' '-: No such'; do
    says "pics/$name"
done
lines err 5
grep -q '^failed      5 of the pictures: .* without detections, the boxes in them as missed$' out || fail "failed"
expect 1 val -q --data bad.json --images pics --json --batch 4
figures 1 1 1
has pictures 9 pictures_failed 5

# what is wrong with all of them is told once, and there are no figures
mkdir bare
for folder in 'nowhere No such file' 'all.json not a folder'; do
    expect 1 val -q --data all.json --images "${folder%% *}" --json
    says "--images ${folder%% *}: ${folder#* }"
    lines err 1
    [ ! -s out ] || fail "figures without a folder"
done
expect 1 val -q --data all.json --images bare --json
says 'none of the pictures could be read'
[ ! -s out ] || fail "figures without pictures"
for path in ../pics/red.ppm /etc/passwd a/../../red.ppm pics/..; do
    sed "s,red.ppm,$path," all.json >outside.json
    expect 1 val --data outside.json --images pics
    says "outside.json: image 1: \"file_name\": \"$path\" is not a path inside a folder"
    lines err 1
done
sed 's,red.ppm,.././..two/red.ppm,; s,\.\./,,' all.json >inside.json
mkdir pics/..two
cp pics/red.ppm pics/..two/red.ppm
expect 0 val --data inside.json --images pics --json
figures 1 1 1
sed 's/"width": 32/"width": 33/' all.json >size.json
expect 0 val --data size.json --images pics --json
says '1 pictures do not have the size that the ground truth says, pics/green.ppm is the first'
has pictures_of_other_size 1

# results from a file
cat >results.json <<'END'
[{"image_id": 5, "category_id": 4, "bbox": [16, 0, 16, 16], "score": 0.5},
 {"image_id": 5, "category_id": 9, "bbox": [16, 0, 16, 16], "score": 0.5}]
END
expect 0 "$vkdet" val --data all.json --pred results.json --json
says '1 results are of categories that the ground truth does not list'
figures 0.252475248 0.252475248 0.25
expect 0 "$vkdet" val -q --data all.json --pred results.json
grep -qx 'detections  1 from a file' out || fail "from a file"
sed 's/"image_id": 5/"image_id": 6/' results.json >strange.json
expect 1 "$vkdet" val --data all.json --pred strange.json
says 'strange.json: results[0]: the ground truth lists no image 6'
expect 1 "$vkdet" val --data all.json --pred all.json
says 'all.json: not a list of COCO results'
says 'detect --format coco'

# what makes no sense
expect 2 val
says '--data COCO.json missing'
expect 2 val --data all.json
says '--images DIR, or --pred RESULTS.json, missing'
expect 2 val --data all.json --images pics extra
expect 2 val --data all.json --images pics --nms-mode none
expect 2 val --data all.json --pred results.json
says '--pred has the boxes'
for option in '--precision fp16' '--threads 2' '--tune off' '--winograd never'; do
    # shellcheck disable=SC2086
    expect 2 "$vkdet" val --data all.json --pred results.json $option
    says '--pred has the boxes'
done
expect 1 val --data none.json --images pics
says 'none.json: No such file'
expect 1 val --data results.json --images pics
says 'results.json: not a COCO document'
expect 4 val -m model.json --data all.json --images pics
expect 3 val -d vulkan:99 --data all.json --images pics
if [ -c /dev/full ]; then
    got=0
    val -q --data all.json --images pics >/dev/full 2>err || got=$?
    [ "$got" -eq 5 ] || fail "a full disk is status $got"
fi

# the repository's detector finds what was drawn (models/train/render.py, seed 2026)
"$vkdet" convert -q "$source/models/street-320/model.json" --card "$source/models/street-320/card.json" \
    --output street.vkdet
cat >street.json <<'END'
{"images":[{"id":3,"file_name":"street0003.png"},{"id":4,"file_name":"street0004.png"},
  {"id":6,"file_name":"street0006.png"},{"id":7,"file_name":"street0007.png"}],
 "categories":[{"id":1,"name":"mask"},{"id":2,"name":"no_mask"}],
 "annotations":[
  {"image_id":3,"category_id":2,"bbox":[153.3,221.5,37.5,38.1]},
  {"image_id":3,"category_id":1,"bbox":[325.7,222.6,56.1,50.4]},
  {"image_id":3,"category_id":2,"bbox":[20.5,158.0,56.5,57.8]},
  {"image_id":4,"category_id":2,"bbox":[20.8,134.7,28.1,26.4]},
  {"image_id":4,"category_id":2,"bbox":[123.3,54.7,55.4,51.4]},
  {"image_id":4,"category_id":2,"bbox":[183.2,224.3,63.2,57.1]},
  {"image_id":6,"category_id":1,"bbox":[34.1,173.8,55.9,50.2]},
  {"image_id":6,"category_id":1,"bbox":[160.0,82.5,58.1,51.9]},
  {"image_id":6,"category_id":2,"bbox":[301.1,83.4,72.5,68.6]},
  {"image_id":7,"category_id":2,"bbox":[288.2,142.4,33.3,33.0]},
  {"image_id":7,"category_id":1,"bbox":[286.9,204.7,33.3,34.2]},
  {"image_id":7,"category_id":2,"bbox":[55.3,175.1,69.0,63.9]}]}
END
expect 0 val -q -m street.vkdet --data street.json --images "$source/models/street-320/samples" --json
has pictures 4 boxes 12 ap_50 1
