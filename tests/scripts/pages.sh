#!/usr/bin/env bash
# Pages keep up with the tree: ARCHITECTURE.md shows every module of src/LAYERS in its picture and says of each what it
# knows; README's plan is the one that the planner makes; each page of results names the program of the tree that
# writes its tables.
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
    local row n_rows=0
    "$PSHARD_TOOL_DIR/pshard-make-model" Llama-3.3-70B --quant Q4_K_M -o "$scratch/model.gguf" >/dev/null
    PSHARD_CPU_PROFILE=profiles/reference/cpu_profile.txt PSHARD_GPU_PROFILE=profiles/reference/gpu_profile.txt \
        "$PSHARD_TOOL_DIR/llama-pshard-plan-params" -m "$scratch/model.gguf" -c 8192 -fa on -mva 12000 --no-registry \
        >"$scratch/plan" 2>"$scratch/log" || { cat "$scratch/log" && fault "the planner fails"; }
    while read -r row; do
        n_rows=$((n_rows + 1))
        grep -qxF -- "$row" "$scratch/plan" || fault "README.md shows a row that the planner does not print: $row"
    done < <(awk '/^```/ { inside = !inside } inside && /^\|/' README.md)
    ((n_rows > 2)) || fault "README.md shows no plan"
    if ((faults > 0)); then cat "$scratch/plan"; fi
}

# A page of results names in `...` what writes it: a program of bench/ or scripts/.
results() {
    local page name
    for page in docs/results/*.md; do
        grep -ohE '`(bench|scripts)[/_][a-z_-]+' "$page" | sort -u >"$scratch/named" || true
        [[ -s $scratch/named ]] || fault "$page does not say which program writes it"
        while read -r name; do
            name=${name#\`}
            compgen -G "${name/bench_/bench/}*" >"$scratch/found" || fault "$page names $name, which is not there"
        done <"$scratch/named"
    done
}

architecture
readme
results
((faults == 0))
