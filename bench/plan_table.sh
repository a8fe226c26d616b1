#!/usr/bin/env bash
# Plans every known shape at every budget and context, and prints docs/results/plans.md: the error of
# our bytes against llama.cpp's own figures, the plan of each tier, VRAM, and the time of the whole command.
#
#   bench/plan_table.sh BUILD_FOLDER > docs/results/plans.md
#   bench/plan_table.sh --check BUILD_FOLDER
#
# BUILD_FOLDER  of the release preset, for times as users have them; test_agree_slow is looked for in it too, else
#               in build/dev
# --check       only fails where the page has another row of plans; tests/agree/memory_oracle_slow_test.cpp holds
#               the rows of bytes
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
check=
[[ ${1-} != --check ]] || { check=yes; shift; }
build=$(cd "${1?usage: bench/plan_table.sh [--check] BUILD_FOLDER}" && pwd)
plan="$build/bin/llama-pshard-plan-params"
make_model="$build/bin/pshard-make-model"
export PSHARD_CPU_PROFILE="$root/profiles/reference/cpu_profile.txt"
export PSHARD_GPU_PROFILE="$root/profiles/reference/gpu_profile.txt"
readonly budgets=(2000 4000 8000 12000 16000 24000)
readonly contexts=(4096 16384 65536)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

quant_of() { # shape
    case $1 in
        gpt-oss-*) printf 'MXFP4' ;;
        *) printf 'Q4_K_M' ;;
    esac
}

shapes() { "$make_model" --list | awk '/^[A-Z a-z].*[0-9]/ && $1 ~ /-/ { print $1 }'; }

# The whole command: leaves its plans in plan.csv, prints its processor time in ms and its exit code.
plan_one() { # model context budget
    local status=0 TIMEFORMAT='%U %S'
    { time "$plan" -m "$1" -c "$2" -fa on -mva "$3" --host-memory 4000000 --no-registry --quiet -o csv \
        >"$folder/plan.csv" 2>"$folder/log" || status=$?; } 2>"$folder/time"
    awk -v status="$status" '{ printf "%d %d", 1000 * ($1 + $2), status }' "$folder/time"
}

make_shape() { # shape, model
    "$make_model" "$1" --quant "$(quant_of "$1")" --force -o "$2" >/dev/null 2>&1
}

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

# "-O3 -DNDEBUG": what the programs were compiled with.
build_flags() {
    local type
    type=$(sed -n 's/^CMAKE_BUILD_TYPE:[A-Z]*=//p' "$build/CMakeCache.txt")
    sed -n "s/^CMAKE_CXX_FLAGS_${type^^}:[A-Z]*=//p" "$build/CMakeCache.txt"
}

print_sweep() {
    local shape model context budget result millis status
    printf '\n## Planning time over %d budgets and %d contexts\n\n' "${#budgets[@]}" "${#contexts[@]}"
    printf '`bench/plan_table.sh` on %s, commit %s, compiled with %s: %s, %d cores, no GPU.\n' "$(date +%F)" \
        "$(git -C "$root" rev-parse --short HEAD)" "$(build_flags)" \
        "$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)" "$(nproc)"
    printf 'Processor time of the whole command, which uses two threads; warm file cache, one run each.\n'
    printf 'Budgets: %s MiB. Contexts: %s tokens.\n\n' "${budgets[*]}" "${contexts[*]}"
    printf '| model | planned | no plan fits | failed | median ms | slowest ms |\n'
    printf '|---|---:|---:|---:|---:|---:|\n'
    for shape in $(shapes); do
        model="$folder/$shape.gguf"
        make_shape "$shape" "$model"
        : >"$folder/times"
        for context in "${contexts[@]}"; do
            for budget in "${budgets[@]}"; do
                result=$(plan_one "$model" "$context" "$budget")
                read -r millis status <<<"$result"
                printf '%s %s\n' "$millis" "$status" >>"$folder/times"
            done
        done
        sort -n "$folder/times" | awk -v name="$shape" '
            { t[NR] = $1; if ($2 == 0) ok++; else if ($2 == 2) none++; else bad++ }
            END { printf "| %s | %d | %d | %d | %d | %d |\n", name, ok, none, bad, t[int((NR + 1) / 2)], t[NR] }'
        rm -f "$model"
    done
}

plan_row() { # shape
    make_shape "$1" "$folder/model.gguf"
    plan_one "$folder/model.gguf" 8192 12000 >"$folder/used"
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
print_sweep
