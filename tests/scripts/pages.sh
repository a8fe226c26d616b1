#!/usr/bin/env bash
# Pages keep up with the tree: ARCHITECTURE.md shows every module of src/LAYERS in its picture and says of each what it
# knows; README's plan and those of docs/results/plans.md are the ones that the planner makes; each table of a page of
# results has its program, its machine and its date; files that a page names are there; and docs/traps.md names functions and tests that are there.
set -euo pipefail
cd "$PSHARD_SOURCE_DIR"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
faults=0
fault() {
    printf 'pages: %s\n' "$1"
    faults=$((faults + 1))
}

architecture() {
    local module
    awk '/^```/ { inside = !inside } inside' ARCHITECTURE.md >"$scratch/picture"
    sed -nE 's/^\| ([a-z_]+) \|.*/\1/p' ARCHITECTURE.md | grep -vE '^(module|tools)$' | sort >"$scratch/rows"
    sed -nE 's/^([a-z_]+):.*/\1/p' src/LAYERS | sort >"$scratch/modules"
    [[ -s $scratch/modules ]] || fault "src/LAYERS has no modules"
    while read -r module; do
        grep -qw "$module" "$scratch/picture" || fault "ARCHITECTURE.md's picture lacks the module $module"
        grep -qx "$module" "$scratch/rows" || fault "ARCHITECTURE.md's table lacks the module $module"
    done <"$scratch/modules"
    while read -r module; do
        fault "ARCHITECTURE.md's table has $module, src/LAYERS has not"
    done < <(comm -13 "$scratch/modules" "$scratch/rows")
}

# The rows that scripts/plan-demo prints; README shows some of them.
readme() {
    local row n_rows=0 before=$faults
    "$PSHARD_TOOL_DIR/pshard-make-model" Llama-3.3-70B --quant Q4_K_M -o "$scratch/model.gguf" >/dev/null
    PSHARD_CPU_PROFILE=profiles/reference/cpu_profile.txt PSHARD_GPU_PROFILE=profiles/reference/gpu_profile.txt \
        "$PSHARD_TOOL_DIR/llama-pshard-plan-params" -m "$scratch/model.gguf" -c 8192 -fa on -mva 11500 --no-registry \
        >"$scratch/plan" 2>"$scratch/log" || { cat "$scratch/log" && fault "the planner fails"; }
    while read -r row; do
        n_rows=$((n_rows + 1))
        grep -qxF -- "$row" "$scratch/plan" || fault "README.md shows a row that the planner does not print: $row"
    done < <(awk '/^```/ { inside = !inside } inside && /^\|/' README.md)
    ((n_rows > 2)) || fault "README.md shows no plan"
    if ((faults > before)); then cat "$scratch/plan"; fi
}

# The budgets of examples leave 470 MiB to the driver on a card of a multiple of 2 GiB.
budgets() {
    local place budget
    while read -r place budget; do
        ((budget < 2048 || budget % 2048 + 470 <= 2048)) ||
            fault "$place shows a budget of $budget MiB, which leaves the driver no room on the card that it is for"
    done < <(grep -rnoE '(-mva |MAX_VRAM_ALLOC=|vram=)[0-9]{4,}' README.md docs/*.md docs/cli tools scripts |
        sed -E 's/:(-mva |[a-zA-Z_]+=)([0-9]+)$/ \2/')
}

# A page of results names in `...` what writes it: a program of bench/ or scripts/.
results() {
    local page name
    for page in docs/results/*.md; do
        grep -ohE '`(bench|scripts)[/_][a-z_-]+' "$page" | sort -u >"$scratch/named" || true
        while read -r name; do
            name=${name#\`}
            compgen -G "${name/bench_/bench/}*" >"$scratch/found" || fault "$page names $name, which is not there"
        done <"$scratch/named"
    done
}

# Each table that was measured tells its program, its machine and its date: in its section, or at the head of its
# page. What is computed instead is held by a test, which its section names.
measured() {
    local page section
    for page in docs/results/*.md; do
        while read -r section; do
            fault "$page: the table of '$section' lacks its program, its machine or its date"
        done < <(awk '
            function close_section() {
                all = head_text text
                is_told = all ~ /20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]/ && all ~ /[ \n]cores/ || text ~ /`tests\//
                if (has_table && (all !~ /`(bench|scripts)[\/_]/ || !is_told)) print title
                has_table = 0; text = ""
            }
            NR == 1 { title = $0; in_head = 1 }
            /^##* / && NR > 1 { close_section(); title = $0; in_head = 0 }
            /^\|[-: |]+\|$/ { has_table = 1 }
            in_head { head_text = head_text $0 "\n" }
            { text = text $0 "\n" }
            END { close_section() }' "$page")
    done
}

plans() {
    bench/plan_table.sh --check "$PSHARD_BINARY_DIR" ||
        fault "docs/results/plans.md is not what bench/plan_table.sh prints"
}

# A name with a slash is a path from the root, from the page, or the end of one; a bare name is some file's. What has a
# hyphen, and a few more, is llama.cpp's.
files() {
    local page name
    find . -type f -not -path './.*' -not -path './build*' | sed 's|^\.||' >"$scratch/files"
    while read -r page; do
        page=${page#/}
        [[ $page != docs/sources.md ]] || continue
        while read -r name; do
            name=${name#./}
            while [[ $name == ../* ]]; do name=${name#../}; done
            case $name in llama.cpp | gguf.h | ggml*-* | *//*) continue ;; esac
            [[ $name == _* ]] || name=/$name
            grep -qF -- "$name" "$scratch/files" || fault "$page names $name, which is not there"
        done < <(grep -ohE '[A-Za-z0-9_./-]*[A-Za-z0-9_]\.(cpp|h|sh|mjs|awk|cmake|md)\b' "$page" | sort -u)
    done < <(grep '\.md$' "$scratch/files")
}

traps() {
    local name
    grep -rhoIE '[A-Za-z_][A-Za-z0-9_]*' src tests tools scripts bench | sort -u >"$scratch/words"
    grep -oE '`[^`]*`' docs/traps.md | tr -d '`' | sed 's/[.][*]$//' |
        grep -E '^[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z_]+)?([.][A-Z][A-Za-z0-9]+)?$' | grep -vE '^GGML_|^MAP_' |
        sed 's/::/ /; s/[.]/ /' | tr ' ' '\n' | sort -u >"$scratch/named"
    while read -r name; do
        fault "docs/traps.md names $name, which no source has"
    done < <(comm -23 "$scratch/named" "$scratch/words")
}

architecture
readme
budgets
results
measured
plans
files
traps
((faults == 0))
