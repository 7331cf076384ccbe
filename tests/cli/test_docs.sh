#!/bin/sh
# test_docs.sh VKDET CLI_FIXTURE SOURCE: what the documents say is there is there: links, options in the manual page,
# checksums in the README's recipe.
source=$3
# shellcheck source=tests/cli/support.sh
. "$(dirname -- "$0")/support.sh"

for document in README.md CONTRIBUTING.md CHANGELOG.md docs/architecture.md docs/performance.md docs/bench.md docs/serving.md models/CARD.md models/FORMAT.md; do
    folder=$(dirname -- "$source/$document")
    grep -o '](\([^)#]*\))' "$source/$document" | sed 's/^](//; s/)$//' | grep -v '^https*:' >links || true
    while read -r link; do
        [ -e "$folder/$link" ] || fail "$document links to $link, which is not there"
    done <links
done

# every option of every command stands in the manual page
sed 's/\\//g; s/[",]/ /g' "$source/docs/vkdet.1" >manual
for command in detect val convert inspect plan verify devices bench serve; do
    "$vkdet" "$command" --help | grep -oE -- '--[a-z-]+' | sort -u >options
    while read -r option; do
        grep -qE -- "(^|[^a-z-])$option([^a-z-]|\$)" manual || fail "docs/vkdet.1 lacks $option of vkdet $command"
    done <options
    grep -q "^.B vkdet $command" manual || fail "docs/vkdet.1 lacks vkdet $command"
done

# a container begins as FORMAT.md says
"$vkdet" convert -q "$source/models/street-320/model.json" --card "$source/models/street-320/card.json" --output street.vkdet
sed -n '/^## The first bytes/,/^## Graph/s/^    000000[0-9a-f]*  \([0-9a-f ]*[0-9a-f]\) *|.*/\1/p' \
    "$source/models/FORMAT.md" | tr -s ' \n' '  ' | sed 's/ $//' >written
od -An -v -tx1 -j 8 -N 56 street.vkdet | tr -d '\n' | sed 's/^ //' >real
cmp -s written real || fail "models/FORMAT.md says $(cat written), a container has $(cat real)"

# the recipe fetches what the card was written for
sed -n '/^<!-- recipe -->/,/^<!-- end of recipe -->/p' "$source/README.md" >recipe
grep -oE '^[0-9a-f]{64}' recipe >sums
lines sums 2
while read -r sum; do
    grep -q "$sum" "$source/models/cards/aizoo-260.json" || fail "the recipe's checksum $sum is not the card's"
done <sums
