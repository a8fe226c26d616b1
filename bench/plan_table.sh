#!/usr/bin/env bash
# Plans every known shape, and prints docs/results/plans.md: the error of our bytes against llama.cpp's own figures, and
# the plan of each tier with its VRAM. Planning time: bench/planning_time.sh.
#
#   bench/plan_table.sh BUILD_FOLDER > docs/results/plans.md
#   bench/plan_table.sh --check BUILD_FOLDER
#
# BUILD_FOLDER  test_agree_slow is looked for in it too, else in build/dev
# --check       only fails where the page has another row of plans; tests/agree/memory_oracle_slow_test.cpp holds
#               the rows of bytes
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
check=
[[ ${1-} != --check ]] || { check=yes; shift; }
build=$(cd "${1?usage: bench/plan_table.sh [--check] BUILD_FOLDER}" && pwd)
plan="$build/bin/llama-pshard-plan-params"
make_model="$build/bin/pshard-make-model"
[[ -x $plan && -x $make_model ]] || { printf 'plan_table: %s has no programs: build it first\n' "$build" >&2; exit 1; }
export PSHARD_CPU_PROFILE="$root/profiles/reference/cpu_profile.txt"
export PSHARD_GPU_PROFILE="$root/profiles/reference/gpu_profile.txt"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

quant_of() { # shape
    case $1 in
        gpt-oss-*) printf 'MXFP4' ;;
        *) printf 'Q4_K_M' ;;
    esac
}

shapes() { "$make_model" --list | awk '/^[A-Z a-z].*[0-9]/ && $1 ~ /-/ { print $1 }'; }

# "1: FFNCPU 22" ... from the csv of the last plan.
short_plans() {
    awk -F, '
        function short(name) {
            if (name ~ /LAYERPIN/) return "LAYERSTREAM"
            if (name ~ /ATTNPIN/) return "FFNSTREAM"
            if (name ~ /FFNCPU/) return "FFNCPU"
            if (name ~ /ATTNPRIO/) return "ATTNPRIO"
            return "FIT"
        }
        NR > 1 && $6 == "1" { printf "%s%s: %s %s/%s, %.0f t/s, %.0f", (n++ ? "<br>" : ""), $5, short($7), $8, $9, $14, $18 }
        NR > 1 && $6 != "1" { printf "%s%s: none", (n++ ? "<br>" : ""), $5 }
        END { if (!n) printf "whole model fits: stock" }' "$folder/plan.csv"
}

print_head() {
    printf '# Plans of all known shapes\n\n'
    printf 'Made by `bench/plan_table.sh`. Planned for the reference machine of `profiles/reference` (derived, not measured),\n'
    printf 'flash attention on, depth n_ctx/2, whatever host memory there is.\n'
}

plan_row() { # shape
    "$make_model" "$1" --quant "$(quant_of "$1")" --force -o "$folder/model.gguf" >/dev/null 2>&1
    "$plan" -m "$folder/model.gguf" -c 8192 -fa on -mva 12000 --host-memory 4000000 --no-registry --quiet -o csv \
        >"$folder/plan.csv" 2>"$folder/log" || true
    printf '| %s | %s |\n' "$1" "$(short_plans)"
}

print_plans() {
    local shape
    printf '\n## Plans at 12000 MiB, 8192 tokens\n\n'
    printf 'Per tier: strategy, pinned/attention layers, tokens per second at depth 4096, VRAM MiB. Held by\n`tests/scripts/pages.sh`.\n\n'
    printf '| model | plans |\n|---|---|\n'
    for shape in $(shapes); do plan_row "$shape"; done
}

# Says which rows the page should have and has not.
check_plans() {
    local shape row faults=0
    for shape in $(shapes); do
        row=$(plan_row "$shape")
        grep -qxF -- "$row" "$root/docs/results/plans.md" && continue
        printf 'plan_table: docs/results/plans.md should have this row:\n%s\n' "$row"
        faults=$((faults + 1))
    done
    return $((faults > 0))
}

print_errors() {
    local agree="$build/tests/test_agree_slow"
    [[ -x $agree ]] || agree="$root/build/dev/tests/test_agree_slow"
    [[ -x $agree ]] || { printf '\n(test_agree_slow is not built: no comparison)\n'; return; }
    "$agree" --gtest_filter='*MemoryOracle*' --gtest_output="json:$folder/agree.json" >/dev/null || true
    printf '\n## Bytes against llama.cpp'"'"'s own figures\n\n'
    printf 'Static plans at 3 budgets and batches of 1 and 512 tokens, context 8192, CUDA device model;\n'
    printf 'model and context: largest difference in bytes. Compute: ours / llama.cpp'"'"'s, least and most.\n'
    printf 'Held by `tests/agree/memory_oracle_slow_test.cpp`.\n\n'
    printf '| model | placements | model, bytes | context, bytes | compute, least | compute, most |\n|---|---:|---:|---:|---:|---:|\n'
    awk -F'"' '$2 == "row" { print $4 }' "$folder/agree.json"
}

if [[ -n $check ]]; then check_plans; exit; fi
print_head
print_errors
print_plans
