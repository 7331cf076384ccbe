#!/bin/sh
# test_bench.sh VKDET CLI_FIXTURE LIAR SOURCE: vkdet bench from outside: its forms of output, its checks, comparison, report,
# interruption and misuse. Nothing here depends on how long anything takes.
liar=$3
root=$4
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"
make_toy
bench() { "$vkdet" bench -q --device reference --runs 6 --min-time 0.01 --max-time 0.05 "$@"; }

# --- a run: every line is "name = value unit", the equals signs in one column
expect 0 bench --batch 1,3 --stage all
silent
sed -n '/^startup/,$p' out >results
grep -qE '^check\.reference\.fp32\.b3 += [0-9.e-]+ s  \[passed; slots 2\]$' out || fail "the time of a check"
[ "$(grep -c '^check\.' out)" -eq 3 ] || fail "a line a check"
grep -qE '^startup\.reference\.fp32\.b1\.create +=' results || fail "startup"
for name in single-stream.pixels.reference.fp32.b1.p50 single-stream.bytes.reference.fp32.b1.p99 \
    offline.pixels.reference.fp32.b1.throughput offline.bytes.reference.fp32.b3.throughput \
    offline.device.reference.fp32.b3.throughput; do
    grep -qE "^$name += [0-9.]+ (ms|images/s)  \\[" results || fail "no line of $name"
done
[ "$(grep -v '^$' results | sed 's/=.*//' | awk '{ print length($0) }' | sort -u | wc -l)" -eq 1 ] || fail "not aligned"
grep -q '^input .* = 8 drawn scenes of 32x32$' out || fail "the input"

# --- JSON and CSV hold the same names; the check is in the document
expect 0 bench --batch 2 --json
cp out base.json
has() { grep -qE -- "$1" base.json || fail "the document lacks $1"; }
has '^ "schema": 1,$'
has '^ "tool": "vkdet bench",$'
has '^ "shader_digest": "[0-9a-f]{32,}",$'
has '^ "stopped": null,$'
has '^  "sha256": "[0-9a-f]{64}",$'
has '^  "kind": "drawn scenes",$'
has '^   "ok": true,$'
has '^   "seconds": [0-9.e-]+,?$'
has '"worst_of_bound": [0-9]'
# member NAME KEY: of the result of that name (one member a line)
member() { awk -v name="\"name\": \"$1\"," -v key="\"$2\":" 'index($0, name) { on = 1 } on && index($0, key) {
    sub(".*" key " *", ""); sub(",$", ""); gsub("\"", ""); print; exit }' base.json; }
rising() { printf '%s\n' "$@" | sort -g -c 2>/dev/null || fail "not in order: $*"; }
t=offline.pixels.reference.fp32.b2.throughput
rising "$(member $t min)" "$(member $t low)" "$(member $t value)" "$(member $t high)" "$(member $t max)"
[ "$(member $t samples)" -ge 6 ] || fail "samples"
[ "$(member $t better) $(member $t unit)" = "higher images/s" ] || fail "of throughput"
p=single-stream.pixels.reference.fp32.b1
[ "$(member $p.p50 better) $(member $p.p50 unit)" = "lower ms" ] || fail "of latency"
rising "$(member $p.p50 value)" "$(member $p.p90 value)" "$(member $p.p99 value)"
expect 0 "$vkdet" bench --from base.json --csv
lines out "$(($(grep -c '"name": ".*\.' base.json) + 1))"
head -n 1 out | grep -qx 'name,scenario,stage,device,precision,batch,metric,value,unit,low,high,min,max,samples,withheld,holds,bound_ms,device_name,driver,cpu,model,weights,version,shader_digest,date' ||
    fail "the heading of the CSV"
grep -qE '^offline\.pixels\..*,scalar reference on the CPU,.*,[0-9a-f]{64},[0-9.]+,[0-9a-f]{32,},20[0-9T:Z-]+$' out ||
    fail "a line of the CSV does not say what was measured"

# --- how it was measured stands in every view
expect 0 "$vkdet" bench --from base.json --report r.html
grep -qE '^rules +=.*0\.5 s of warm-up, .* 2 slots; cpu: a thread a core; tuning default; Winograd auto;' out || fail "the rules"
grep -q '0.5 s of warm-up' r.html || fail "the rules in the report"
has '"warm_up_seconds": 0.5'
has '"tune": "default"'
has '"winograd": "auto"'

# --- the clocks while each batch was computed, and the three load averages
[ "$(sed -n '/"under_load"/,/^ \]/s/^   "batch": //p' base.json | tr -d ',')" = 2 ] || fail "no clocks under load"
grep -qE '^under_load += cpu clocks (not readable|[0-9]+ to [0-9]+ MHz)$' out || fail "the clocks under load"
grep -q 'clocks under load.*cpu clocks ' r.html || fail "the clocks in the report"
gpu='{"device": "vulkan:0", "precision": "fp16", "batch": 8, "cpu_clocks": "900 to 3200 MHz", "gpu": "vulkan:0: core 2087 of 2475 MHz"}'
sed "s/\"under_load\": \\[/&$gpu,/" base.json >clocks.json
expect 0 "$vkdet" bench -q --from clocks.json --report clocks.html
grep -qE '^under_load\.vulkan:0\.fp16\.b8 += cpu clocks 900 to 3200 MHz; vulkan:0: core 2087 of 2475 MHz$' out || fail "a GPU's clocks"
grep -qE '^under_load\.reference\.fp32\.b2 += cpu clocks ' out || fail "the other's clocks"
grep -q 'vulkan:0 fp16, batch 8: cpu clocks 900 to 3200 MHz; vulkan:0: core 2087' clocks.html || fail "a GPU's clocks in the report"
grep -qE '^host_after.load_average += (not readable|[0-9.]+ [0-9.]+ [0-9.]+)$' out || fail "the load averages"

# --- threads that decode: one a processor that the process may use, not one of the machine's
if command -v taskset >/dev/null && [ "$(getconf _NPROCESSORS_ONLN)" -gt 1 ]; then
    first=$(taskset -cp $$ | sed 's/.*: *//; s/[,-].*//')
    expect 0 taskset -c "$first" "$vkdet" bench -q --device reference --runs 6 --min-time 0.01 --max-time 0.05 \
        --scenario offline --stage bytes --batch 1 --json
    grep -qE '^   "decoders": 1,?$' out || fail "threads for processors that the process may not use"
else
    echo "SKIPPED cli_bench, threads under an affinity: no taskset, or one processor"
fi

# --- pictures of one's own, an odd one among them
expect 0 bench --scenario single-stream pics/green.ppm pics/red.ppm pics/many.ppm
grep -q '^input .* = 3 files of several sizes$' out || fail "the input"
expect 1 bench pics/green.ppm pics/text.jpg
says 'pics/text.jpg'
expect 1 bench pics/none.ppm
says 'pics/none.ppm'

# --- server: one rate, and a search
expect 0 bench --scenario server --qps 200 --latency-bound 60000 --batch 2
grep -qE '^server\.pixels\.reference\.fp32\.b2\.rate += 200 queries/s .* p99 within 60000 ms, answered .*; whether it lasts takes --max-time 3000 to tell$' out || fail "server"
expect 0 bench --scenario server --latency-bound 0.000001 --batch 1
grep -qE 'p99 beyond 1e-06 ms$' out || fail "a bound that cannot hold"
expect 0 bench --scenario server --latency-bound 50 --batch 4 --json
for key in trials unanswered seconds answered_per_second holds bound_ms; do
    grep -qE "^   \"$key\": " out || fail "a rate without $key"
done
# more than can be answered: given up, and what had no answer counts as late, not as nothing
expect 0 bench --scenario server --qps 1000000 --latency-bound 1 --batch 1 --max-time 1 --min-time 1
grep -qE '^server\..*rate += .* p99 beyond 1 ms, answered [0-9.]+/s in [0-9.e-]+ s, [0-9]+ unanswered$' out || fail "overload"
grep -qE '^server\..*p99 += \? ms' out || fail "the 99th percentile of what was not answered"
expect 0 bench --scenario server --latency-bound 50 --batch 4
grep -qE '^server\.pixels\.reference\.fp32\.b4\.p99 += ' out || fail "server p99"

# --- layers, peaks where there are any, and the report
expect 0 bench --layers --batch 2 --report r.html
grep -q '^layers of reference fp32 batch 2: medians of' out || fail "layers"
grep -qE '^[a-z_+0-9]+ +conv2d ' out || fail "a step"
grep -q '<svg .*aria-label="time of each step"' r.html || fail "bars"
grep -q 'aria-label="roofline"' r.html || fail "roofline"
grep -q 'prefers-color-scheme:dark' r.html || fail "dark"
if grep -nE 'https?:|src=|@import|url\(|<script|<link' r.html; then fail "the report refers to something outside"; fi
[ -z "$(find . -name '*.part')" ] || fail "left a file behind"
if "$vkdet" devices | grep -q '^cpu '; then
    expect 0 "$vkdet" bench -q --device cpu --peak
    grep -qE '^peak\.cpu\.fp32 += [0-9.]+ GFLOP/s  \[95 % [0-9.]+ to [0-9.]+; min [0-9.]+, max [0-9.]+; n 6\]$' out || fail "peaks"
else
    echo "SKIPPED cli_bench, peaks: this build has no device cpu"
fi
# told before anything is measured
expect 5 "$vkdet" bench --report no/such/folder/r.html
says '--report no/such/folder/r.html: No such file or directory'
lines err 1
[ ! -s out ] || fail "measured for a report that cannot be"
mkdir -p folder
expect 5 "$vkdet" bench --report folder
says '--report folder: Is a directory'
# what is no plain file is written to, and not replaced
mkfifo pipe
cat pipe >piped &
expect 0 "$vkdet" bench -q --from base.json --report pipe
wait $!
[ -p pipe ] || fail "the pipe was replaced"
cmp -s piped r.html || { expect 0 "$vkdet" bench -q --from base.json --report r.html; cmp -s piped r.html || fail "the pipe's report"; }
ln -s linked.html link.html
: >linked.html
expect 0 "$vkdet" bench -q --from base.json --report link.html
[ -L link.html ] || fail "the link was replaced"
cmp -s linked.html r.html || fail "the link's file"
if [ -c /dev/full ] && [ ! -w /dev ]; then # as root a mistake would cost the machine its device
    expect 5 "$vkdet" bench -q --from base.json --report /dev/full
    says '--report /dev/full: No space left on device'
fi
# names from outside stay text
sed 's/"id": "reference"/"id": "<b>\&x\\""/' base.json >odd.json
expect 0 "$vkdet" bench -q --from odd.json --report odd.html
if grep -q '<b>' odd.html; then fail "markup from a name"; fi

# --- comparison: each verdict, and the statuses
expect 0 "$vkdet" bench -q --from base.json --compare base.json
grep -qE '^offline\.pixels\.reference\.fp32\.b2\.throughput += 1 x  \[.*\]  within noise$' out || fail "noise"
change() { # change FACTOR FILE: throughput and latencies of the base, FACTOR times as fast
    awk -v f="$1" '/"better": "higher"/ { by = f } /"better": "lower"/ { by = 1 / f }
        /"(value|low|high)": [0-9]/ { comma = /,$/ ? "," : ""; sub(",$", ""); $2 *= by; $0 = $1 " " $2 comma } 1' \
        OFMT=%.12g CONVFMT=%.12g base.json >"$2"
}
change 1000 fast.json
change 0.001 slow.json
expect 0 "$vkdet" bench -q --from fast.json --compare base.json
grep -qE 'throughput += 1000 x .*  faster$' out || fail "faster"
grep -qE 'p50 += 1000 x .*  faster$' out || fail "faster latency"
expect 7 "$vkdet" bench -q --from slow.json --compare base.json --json
grep -q '"verdict": "slower"' out || fail "slower"
change 0.5 half.json
expect 7 "$vkdet" bench -q --from half.json --compare base.json --noise 50
expect 0 "$vkdet" bench -q --from half.json --compare base.json --noise 150
sed 's/offline\.pixels/offline.elsewhere/' base.json >other.json
expect 0 "$vkdet" bench -q --from other.json --compare base.json
grep -q 'only in this run$' out || fail "only here"
grep -q 'only in the base$' out || fail "only there"
sed 's/"sha256": "[0-9a-f]*"/"sha256": "00"/' base.json >other.json
expect 0 "$vkdet" bench -q --from base.json --compare other.json
grep -q '^beware: the model was "00"' out || fail "another model goes unsaid"
sed 's/"slots": 2,$/"slots": 5,/; s/"tune": "default"/"tune": "off"/
    s/"winograd": "auto"/"winograd": "always"/' base.json >other.json
expect 0 "$vkdet" bench -q --from base.json --compare other.json
grep -q '^beware: slots was "5", is "2"$' out || fail "other slots go unsaid"
grep -q '^beware: tune was ".*off.*", is ".*default' out || fail "another tuning goes unsaid"
grep -q '^beware: winograd was ".*always.*", is ".*auto' out || fail "another way of convolutions goes unsaid"

# --- docs/bench.md names every member of a document
expect 0 bench --scenario all --stage all --layers --batch 2 --json
cp out all.json
expect 0 "$vkdet" bench --from all.json --compare all.json --json
sed -n 's/^ *"\([a-z0-9_]*\)": .*/\1/p' out | sort -u >keys
[ "$(wc -l <keys)" -ge 75 ] || fail "only $(wc -l <keys) members"
while read -r key; do
    grep -qE "\`$key\`" "$root/docs/bench.md" || fail "docs/bench.md does not name $key"
done <keys

# --- a report takes the place of nothing that the run reads, by whatever name
cp base.json kept.json
ln -s kept.json link.json
expect 2 "$vkdet" bench --from kept.json --report kept.json
says 'report kept.json: that is kept.json, which this run reads'
expect 2 "$vkdet" bench --from base.json --compare link.json --report kept.json
cmp base.json kept.json || fail "a report took the place of a run"

# --- what is named twice is measured once; a longest time below the least; no device, no document
expect 0 "$vkdet" bench -q --device reference,reference --precision fp32,fp32 --batch 1,1 --scenario offline --runs 6 --max-time 0.05
[ "$(grep -c '^offline.*throughput' out)" -eq 1 ] || fail "a name is measured twice"
grep -qE '^rules +=.* then 0\.05 to 0\.05 s ' out || fail "the least time under --max-time"
expect 3 "$vkdet" bench -q --device gpu --json
[ ! -s out ] || fail "a document of no device"

# --- another number of processors is another machine
sed 's/"processors": \([0-9]*\)/"processors": 9\1/' base.json >more.json
"$vkdet" bench -q --from base.json --compare more.json >out 2>&1 || true
grep -q 'processors was "9' out || fail "another number of processors goes unsaid"

# --- documents that are none
echo '{}' >none.json
printf '{"schema":1,"tool":"vkdet bench","results":[' >cut.json
for file in none.json cut.json absent.json pics/text.jpg; do
    expect 1 "$vkdet" bench --from "$file"
    says "$file"
    expect 1 "$vkdet" bench --compare "$file"
done
expect 1 "$vkdet" bench --from folder
says 'folder: Is a directory'
sed 's/"schema": 1/"schema": 2/' base.json >next.json
expect 1 "$vkdet" bench --compare next.json
says 'next.json: a document of schema 2; this vkdet reads 1'
dd if=/dev/zero of=huge.json bs=1 count=0 seek=70000000 2>/dev/null
expect 1 "$vkdet" bench --compare huge.json
says 'huge.json: 70000000 bytes are more than a document has'
sed 's/"value": [0-9.e-]*,/"value": NaN,/' base.json >nan.json
expect 1 "$vkdet" bench --compare nan.json
says 'nan.json: invalid token'
sed 's/"value": [0-9.e-]*,/"value": "NaN",/' base.json >nan.json
expect 1 "$vkdet" bench --from nan.json
says 'value is a text, not a number'
# a text of a document does not steer the terminal
sed 's/"name": "toy"/"name": "\\u001b[2Jtoy\\nrow = 1 ms"/; s/"load_average"/"\\u001b[2J"/' base.json >steer.json
grep -q 'u001b.*toy' steer.json || fail "the test's document"
expect 0 "$vkdet" bench --from steer.json
if grep -q "$(printf '\033')" out || grep -q '^row = 1 ms' out; then fail "a document steers the terminal"; fi
# what is missing is shown as missing: older documents have fewer members
echo '{"schema":1,"tool":"vkdet bench","results":[{"name":"a","better":"lower","value":null},{"name":"c","withheld":"why"}],"layers":[{"steps":[{}]},{}],"checks":[{}],"under_load":[{},{}],"host_before":{"a":1.5},"host":null}' >odd.json
expect 6 "$vkdet" bench -q --from odd.json --compare odd.json --report odd.html
grep -qE '^check\.\.\.b\? += \? s  \[\?; slots \?\]$' out || fail "a check of which nothing is known"
grep -qE '^host_before\.a += 1\.5$' out || fail "a number that is not whole"
grep -qE '^cpu += , \? cores, \? to use$' out || fail "cores that are not known"
grep -qE '^input += \?$' out || fail "pictures that are not known"
grep -qE '^rules += \? s of warm-up, then \? to \? s and at least \? samples; \? slots; cpu: \? threads; tuning \?; Winograd \?;' out ||
    fail "rules that are not known"
grep -qE '^a += \?   \[n \?\]$' out || fail "samples that are not known"
grep -q 'batch ?: medians of ? runs;' out || fail "layers of which nothing is known"
never_nan() { if grep -niE '(^|[^a-z])-?(nan|inf)([^a-z]|$)' "$1"; then fail "$1 shows what is no number"; fi; }
never_nan out
never_nan odd.html
expect 6 "$vkdet" bench -q --from odd.json --csv
never_nan out
# no text of a document becomes markup
sed 's/: "fp32"/: "<b>"/; s/"stage": "/&<b>/' all.json >odd.json
expect 0 "$vkdet" bench -q --from odd.json --report odd.html
grep -q '&lt;b&gt;' odd.html || fail "the test's document"
if grep -n '<b>' odd.html; then fail "markup from a document"; fi
# every number of a run is null
sed 's/^\( *"[a-z0-9_]*": \)[0-9][0-9.e+-]*\(,*\)$/\1null\2/; s/"schema": null/"schema": 1/' all.json >odd.json
[ "$(grep -c ': null,*$' odd.json)" -ge 50 ] || fail "the test's document"
expect 0 "$vkdet" bench -q --from odd.json --compare all.json --report odd.html
never_nan out
never_nan odd.html
expect 0 "$vkdet" bench -q --from odd.json --csv
never_nan out

# --- well-formed JSON that is no document, or of which a part is of another kind: one line that says which, status 1
odd() { # odd REASON JSON
    printf '%s' "$2" >odd.json
    for way in --from --compare; do
        expect 1 "$vkdet" bench "$way" odd.json
        says "odd.json: $1"
        lines err 1
        [ ! -s out ] || fail "output beside: $1"
    done
}
none='no document of vkdet bench --json'
odd "$none, but a list" '[]'
odd "$none, but a number" '7'
odd "$none, but a text" '"vkdet bench"'
odd "$none, but null" 'null'
odd "$none, but true or false" 'true'
odd "$none: it does not name its tool" '{}'
odd "$none: it does not name its tool" '{"tool":5,"schema":1,"results":[]}'
odd "$none, but of \"lighthouse?\"" '{"tool":"lighthouse\u001b","schema":1,"results":[]}'
odd "$none: its schema is no whole number" '{"tool":"vkdet bench","schema":"1","results":[]}'
odd "$none: its schema is no whole number" '{"tool":"vkdet bench","schema":1.5,"results":[]}'
odd 'a document of schema 0; this vkdet reads 1' '{"tool":"vkdet bench","schema":0,"results":[]}'
odd "$none: it has no results" '{"tool":"vkdet bench","schema":1}'
document() { printf '{"tool":"vkdet bench","schema":1,"results":[%s]%s}' "$1" "${2:-}"; }
odd 'results is an object, not a list' '{"tool":"vkdet bench","schema":1,"results":{}}'
odd 'results[0] is a number, not an object' "$(document 1)"
odd 'results[1] is a list, not an object' "$(document '{"name":"a","better":"lower","value":1},[]')"
odd 'results[0] has no name' "$(document '{}')"
odd 'results[0].name is a number, not a text' "$(document '{"name":1}')"
odd 'results[0].value is a text, not a number' "$(document '{"name":"a","better":"lower","value":"3.5"}')"
odd 'results[0].value is -3, and nothing that is measured is negative' "$(document '{"name":"a","better":"lower","value":-3}')"
odd 'results[0].low is -1e-09, and nothing' "$(document '{"name":"a","better":"lower","value":3,"low":-1e-9,"high":4}')"
odd 'the interval of results[0] runs from 4 down to 2' "$(document '{"name":"a","better":"lower","value":3,"low":4,"high":2}')"
odd 'results[0].better is neither "higher" nor "lower"' "$(document '{"name":"a","value":3,"better":"best"}')"
odd 'results[0] has neither a value nor a reason why it is withheld' "$(document '{"name":"a","better":"lower"}')"
odd 'results[0] has neither a value nor a reason' "$(document '{"name":"a","better":"lower","value":1,"withheld":null}')"
odd 'results[0].withheld is true or false, not a text' "$(document '{"name":"a","withheld":true}')"
odd 'devices is a text, not a list' "$(document '' ',"devices":"cpu"')"
odd 'devices[0].id is a number, not a text' "$(document '' ',"devices":[{"id":5}]')"
odd 'checks[0] is a number, not an object' "$(document '' ',"checks":[0]')"
odd 'layers[1].steps[0].us is a text, not a number' "$(document '' ',"layers":[{},{"steps":[{"us":"1"}]}]')"
odd 'a member of host_before is a list, not a text or a number' "$(document '' ',"host_before":{"\u001b":[]}')"
odd 'a number of rules is negative' "$(document '' ',"rules":{"slots":-1}')"
odd 'comparison.differences[0] is null, not a text' "$(document '' ',"comparison":{"differences":[null]}')"
odd "end of file expected near '{'" '{}{}'
odd 'real number overflow' "$(document '{"name":"a","better":"lower","value":1e999}')"

# --- a device that computes something else: withheld, status 6
if LD_PRELOAD=$liar "$vkdet" --version >/dev/null 2>err && [ ! -s err ]; then
    lying() { LD_PRELOAD=$liar VKDET_LIE=$1 "$vkdet" bench -q --device reference --runs 6 --min-time 0.01 --max-time 0.05 \
        --conf 0.01 --batch 2 pics/green.ppm pics/two.ppm; }
    expect 0 lying nothing
    expect 6 lying score
    grep -qE '^check\.reference\.fp32\.b2 += [0-9.e-]+ s  \[failed; slots 2\]$' out || fail "the time of a check that failed"
    says 'withheld: picture 0: '
    grep -qE '^offline\.pixels\.reference\.fp32\.b2\.throughput += withheld: picture 0: ' out || fail "not withheld"
    grep -qE '^single-stream\.pixels\.reference\.fp32\.b1\.p50 += withheld: ' out || fail "not withheld"
    expect 6 lying output
    says 'raw outputs of picture 1 of a batch of 2 differ from those of the picture alone'
    grep -qE '^single-stream\.pixels\.reference\.fp32\.b1\.p50 += [0-9]' out || fail "batch 1 is right and not withheld"
    expect 6 lying verify
    grep -qE 'b1\.p50 += withheld' out || fail "not withheld"
else
    echo "SKIPPED cli_bench, the lying library: this build does not take a preloaded one (sanitizers)"
fi

# --- a device that is not there does not end the run of the others
expect 3 bench --device vulkan:99,reference --scenario single-stream
says 'vulkan:99'
grep -qE '^single-stream\.pixels\.reference\.' out || fail "the other device"

# --- interruption: what was measured, said so, 128 + the signal
"$vkdet" bench -q --device reference --scenario offline,single-stream --min-time 600 --max-time 600 --batch 1 >out 2>err &
pid=$!
sleep 1
kill -TERM "$pid"
got=0
wait "$pid" || got=$?
[ "$got" -eq 143 ] || fail "exit status $got after SIGTERM"
grep -q '^stopped by SIGTERM: what was measured until then$' out || fail "not said to be stopped"

# --- misuse
usage() {
    reason=$1
    shift
    expect 2 "$vkdet" bench "$@"
    says "$reason"
    [ ! -s out ] || fail "output beside a usage error"
}
usage '--scenario takes' --scenario fast
usage '--scenario takes' --scenario offline,
usage '--scenario takes' --scenario ,offline
usage '--stage takes' --stage gpu
usage '--batch takes' --batch 0
usage '--batch takes' --batch 1,x
usage '--batch takes' --batch 4097
usage '--batch takes' --batch 1,,2
usage '--precision takes' --precision fp8
usage '--device takes' --device ,
usage '--size takes' --size 10
usage '--size takes' --size 10x
usage '--size takes' --size 0x5
usage '--tune takes' --tune hard
usage '--winograd takes' --winograd 4x4
usage '--qps goes with' --qps 5
usage '--qps takes' --scenario server --qps 0
usage '--json and --csv' --json --csv
usage '--from shows' --from base.json --layers
usage '--from shows' --from base.json pics/green.ppm
for unheard in '--batch 2' '--precision fp32' '--runs 3' '--min-time 1' '--max-time 1' '--seed 1' '--size 5x5' '--tune off' \
    '--winograd never' '--slots 1' '--threads 1' '--qps 1' '--latency-bound 1' '--conf 0' '--iou 0.5'; do
    # shellcheck disable=SC2086
    usage '--from shows' --from base.json $unheard
done
usage '--latency-bound goes with' --latency-bound 5
usage '--noise goes with' --noise 5
usage '--size is of pictures that are drawn' --size 5x5 pics/green.ppm
usage 'more than --max-time' --min-time 5 --max-time 1
usage 'stage pixels alone' --scenario server --stage device
usage 'stages pixels and bytes' --scenario single-stream --stage device
