#!/usr/bin/env bash
# What comments and pages cite is in the tree: [S3] is a section of docs/sources.md, [P7] and [A22] entries of
# docs/traps.md. No section is cited by nobody, and nobody cites by the names of before.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
read -ra places <<<"${1:-src tools tests testing bench docs profiles scripts ARCHITECTURE.md CONTRIBUTING.md README.md}"
files=()
for place in "${places[@]}"; do
    [ -e "$place" ] && files+=("$place")
done

{
    sed -nE 's/^## (S[0-9]+) .*/\1/p' docs/sources.md
    sed -nE 's/^\* \*\*([PA][0-9]+)\. .*/\1/p' docs/traps.md
} | sort >"$scratch/there"
[ "$(grep -c '^S' "$scratch/there")" -gt 0 ]
[ "$(grep -c '^P' "$scratch/there")" = 16 ]
[ "$(grep -c '^A' "$scratch/there")" = 47 ]
if uniq -d "$scratch/there" | grep .; then echo "sources: these numbers are there twice" && exit 1; fi

cited() { grep -rhoE --exclude=sources.sh '\[(S|P|A)[0-9]+\]' "$@" | tr -d '[]' | sort -u; }
cited "${files[@]}" >"$scratch/cited"
if comm -13 "$scratch/there" "$scratch/cited" | grep .; then
    echo "sources: these are cited and in neither docs/sources.md nor docs/traps.md" && exit 1
fi
if comm -23 <(grep '^S' "$scratch/there") "$scratch/cited" | grep .; then
    echo "sources: these sections of docs/sources.md are cited by nobody: delete them" && exit 1
fi
if grep -rnE --exclude=sources.sh '\b[Ff]acts,? [0-9]|\b[Tt]raps? [0-9]' "${files[@]}"; then
    echo "sources: cite [S3], [P7] or [A22]" && exit 1
fi
