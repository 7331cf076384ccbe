#!/bin/sh
# csv, coco, yolo, and --save-img: contents, collisions, and that nothing is ever overwritten.
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

detect() { "$vkdet" detect -q --device reference "$@"; }

expect 1 detect --format csv pics/two.ppm pics/empty.ppm pics/missing.ppm
cp pics/two.ppm 'a,"b.ppm'
sed 's/0\.99[0-9]*/S/' out >got
same 'image,index,width,height,orientation,class_id,label,score,x1,y1,x2,y2,error
pics/two.ppm,0,64,64,1,0,mask,S,16,0,32,16,
pics/two.ppm,0,64,64,1,1,no_mask,S,32,48,48,64,
pics/empty.ppm,1,48,48,1,,,,,,,,
pics/missing.ppm,2,,,,,,,,,,,pics/missing.ppm: No such file or directory' got
expect 0 detect --format csv 'a,"b.ppm'
grep -q '^"a,""b.ppm",0,64' out || fail "quoting"

expect 1 detect --format coco --batch 3 pics/two.ppm pics/empty.ppm pics/missing.ppm pics/red.ppm
"$fixture" coco out >got
same 'pics/two.ppm
pics/empty.ppm
pics/missing.ppm error
pics/red.ppm
category 0 mask
category 1 no_mask
1 0 16,0,16,16
1 1 32,48,16,16
4 1 48,48,16,16' got
expect 1 detect --format coco pics/missing.ppm
"$fixture" coco out >/dev/null

mkdir -p a b
cp pics/two.ppm a/x.ppm
cp pics/red.ppm b/x.ppm
cp pics/empty.ppm b/X.ppm
cp pics/green.ppm b/x-2.ppm
cp pics/green.ppm classes.ppm
expect 1 detect --format yolo --save-img --output new a/x.ppm b/x.ppm b/X.ppm b/x-2.ppm classes.ppm pics/missing.ppm
lines out 0
find new -type f | LC_ALL=C sort >got
same 'new/X-3.jpg
new/X-3.txt
new/classes-2.jpg
new/classes-2.txt
new/classes.txt
new/x-2-2.jpg
new/x-2-2.txt
new/x-2.jpg
new/x-2.txt
new/x.jpg
new/x.txt' got
sed 's/0\.99[0-9]*/S/' new/x.txt >got
same '0 0.375 0.125 0.25 0.25 S
1 0.625 0.875 0.25 0.25 S' got
sed 's/0\.99[0-9]*/S/' new/x-2.txt >got
same '1 0.875 0.875 0.25 0.25 S' got
lines new/X-3.txt 0
same 'mask
no_mask' new/classes.txt

# the pictures are pictures, of the same size; .png stays .png
expect 0 detect new
"$fixture" ndjson out | cut -d ' ' -f 1,2 >got
grep -qx 'new/x.jpg 64x64' got || fail "size of a saved picture"
cp pics/two.ppm named.png
expect 0 detect --save-img --output drawn named.png
[ "$(head -c 4 drawn/named.png | tail -c 3)" = PNG ] || fail "a .png source gives a PNG"

# nothing is overwritten: neither what an earlier run wrote nor a source
cp a/x.ppm before.ppm
expect 5 detect --format yolo --output new a/x.ppm
says 'new/classes.txt: exists already'
expect 5 detect --save-img --output new a/x.ppm
says 'new/x.jpg: exists already'
cp new/x.jpg keep.jpg
expect 5 detect --save-img --output new new/x.jpg
cmp -s new/x.jpg keep.jpg || fail "a source was overwritten"
cmp -s a/x.ppm before.ppm || fail "a source was changed"
# a walk leaves the output folder out
mkdir walk
cp pics/two.ppm walk/
expect 0 detect --save-img --output walk/boxes walk
lines out 1
rm -r walk/boxes
expect 0 detect --save-img --output walk walk/two.ppm
[ -e walk/two.jpg ] || fail "beside the source"
