#!/bin/sh
# Sources: folders, patterns, standard input, odd names.
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy

detect() { "$vkdet" detect -q --device reference "$@"; }
images() { "$fixture" ndjson out | sed 's/ .*//'; }

# a folder: sorted, searched through, pictures only, links to folders not followed
mkdir -p tree/b/c tree/empty
cp pics/red.ppm tree/b/c/deep.PPM
cp pics/green.ppm tree/a.ppm
cp pics/two.ppm tree/z.ppm
cp pics/notes.txt tree/notes.txt
ln -s .. tree/b/loop
ln -s ../a.ppm tree/b/link.ppm
expect 0 detect tree
images >got
same 'tree/a.ppm
tree/b/c/deep.PPM
tree/b/link.ppm
tree/z.ppm' got
expect 0 detect tree/b/
images >got
same 'tree/b/c/deep.PPM
tree/b/link.ppm' got
expect 1 detect tree/empty pics/red.ppm
says 'tree/empty: no pictures in this folder'
lines out 2

# patterns that the shell did not expand
expect 0 detect 'tree/*.ppm'
images >got
same 'tree/a.ppm
tree/z.ppm' got
expect 1 detect 'tree/*.webp' pics/red.ppm
says 'tree/*.webp: nothing matches this pattern'
lines out 2
cp pics/red.ppm 'pics/[x].ppm'
expect 0 detect 'pics/[x].ppm'
lines out 1

# standard input: paths, empty lines, a folder, no newline at the end, a line too long
printf 'pics/red.ppm\n\ntree\npics/missing.ppm\npics/two.ppm' >list
expect 1 detect - <list
images >got
same 'pics/red.ppm
tree/a.ppm
tree/b/c/deep.PPM
tree/b/link.ppm
tree/z.ppm
pics/missing.ppm
pics/two.ppm' got
expect 0 detect - </dev/null
lines out 0
expect 0 detect pics/green.ppm - pics/two.ppm <<END
pics/red.ppm
END
images >got
same 'pics/green.ppm
pics/red.ppm
pics/two.ppm' got
{ head -c 100000 /dev/zero | tr '\0' 'x'; printf '\npics/red.ppm\n'; } >list
expect 1 detect - <list
says 'path too long'
lines out 2
head -c 300000 /dev/zero >list
expect 1 detect - <list
lines out 1

# a line comes out while the next path is not in yet, also when the batch is not full
mkfifo paths results
detect --batch 8 - <paths >results &
exec 3>paths 4<results
echo pics/red.ppm >&3
read -r line <&4
case "$line" in *red.ppm*) ;; *) fail "no result while standard input is open" ;; esac
exec 3>&-
cat <&4 >/dev/null
wait "$!" || fail "status of the run in the background"

# names that are no UTF-8, hold quotes and control characters; output stays valid
odd=$(printf 'odd \351"\\\t.ppm')
cp pics/red.ppm "$odd"
expect 0 detect "$odd"
"$fixture" ndjson out >/dev/null
grep -qF "$(printf 'odd \357\277\275')"'\"\\\u0009.ppm' out || fail "form of an odd name"
expect 1 detect "$(printf 'missing\033[31m.ppm')"
if grep -q "$(printf '\033')" err; then fail "a control character reached standard error"; fi
long=$(head -c 300 /dev/zero | tr '\0' y).ppm
expect 1 detect "$long" pics/red.ppm
lines out 2

# every failure names its source once, on standard error and in the result
expect 1 detect '' missing.ppm 'no*thing.ppm' pics/text.jpg "$(printf 'tab\t.ppm')"
sed 's/.*"message":"//; s/"}}$//' out >got
same '\"\": No such file or directory
missing.ppm: No such file or directory
no*thing.ppm: nothing matches this pattern
pics/text.jpg: this is text, not a picture
tab\u0009.ppm: No such file or directory' got
sed 's/^vkdet: //' err >got
same '"": No such file or directory
missing.ppm: No such file or directory
no*thing.ppm: nothing matches this pattern
pics/text.jpg: this is text, not a picture
tab?.ppm: No such file or directory' got

# standard input that is closed, or cannot be read
expect 1 timeout 60 "$vkdet" detect -q --device reference - <&-
says 'standard input: '
lines err 1
lines out 1
expect 1 detect pics/red.ppm - pics/two.ppm <pics
says 'standard input: Is a directory'
lines err 1
lines out 3

# lines that end in CR LF; a name that really ends in CR is kept
cr=$(printf 'pics/cr.ppm\rx')
cr=${cr%x}
cp pics/red.ppm "$cr"
printf 'pics/red.ppm\r\n\r\npics/cr.ppm\r\npics/missing.ppm\r\n' >list
expect 1 detect - <list
says 'pics/missing.ppm: No such file or directory'
lines out 3
lines err 1

# a link to nothing is a failed picture; a pipe and a link of another name are no pictures
mkdir links
ln -s nowhere links/gone.jpg
ln -s nowhere links/gone
mkfifo links/pipe.jpg
cp pics/red.ppm links
expect 1 detect links
says 'links/gone.jpg: No such file or directory'
lines err 1
lines out 2
