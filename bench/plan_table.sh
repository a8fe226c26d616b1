#!/usr/bin/env bash
# Plans every known shape at every budget and context, and prints docs/results/plans.md: planning
# time of the whole command, the plan of each tier, VRAM, and the error of our bytes against
# llama.cpp's own figures.
#
#   bench/plan_table.sh BUILD_FOLDER > docs/results/plans.md
#
# BUILD_FOLDER: of the release preset, for honest times; test_agree_slow is looked for in it too, else in
# build/dev.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
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

# One row: the whole command, its time in ms, peak memory in MiB, exit code and plans.
plan_one() { # model context budget
    local started status=0 ended
    started=$(date +%s%N)
    "$plan" -m "$1" -c "$2" -fa on -mva "$3" --no-registry -o csv >"$folder/plan.csv" 2>"$folder/log" || status=$?
    ended=$(date +%s%N)
    printf '%d %d' $(((ended - started) / 1000000)) "$status"
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
    printf 'Made by `bench/plan_table.sh` on %s: %s, %d cores, no GPU. ' "$(date +%F)" \
        "$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)" "$(nproc)"
    printf 'Planned for the reference machine\nof `profiles/reference` (derived, not measured), '
    printf 'flash attention on, depth n_ctx/2. Times are of the whole command,\nwarm file cache, one run each.\n'
}

print_sweep() {
    local shape model context budget result millis status
    printf '\n## Planning time over %d budgets and %d contexts\n\n' "${#budgets[@]}" "${#contexts[@]}"
    printf 'Budgets: %s MiB. Contexts: %s tokens.\n\n' "${budgets[*]}" "${contexts[*]}"
    printf '| model | planned | no plan fits | failed | median ms | slowest ms |\n'
    printf '|---|---:|---:|---:|---:|---:|\n'
    for shape in $(shapes); do
        model="$folder/$shape.gguf"
        "$make_model" "$shape" --quant "$(quant_of "$shape")" -o "$model" >/dev/null 2>&1
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

print_plans() {
    local shape model result millis status
    printf '\n## Plans at 12000 MiB, 8192 tokens\n\n'
    printf 'Per tier: strategy, pinned/attention layers, tokens per second at depth 4096, VRAM MiB.\n\n'
    printf '| model | ms | plans |\n|---|---:|---|\n'
    for shape in $(shapes); do
        model="$folder/$shape.gguf"
        "$make_model" "$shape" --quant "$(quant_of "$shape")" -o "$model" >/dev/null 2>&1
        result=$(plan_one "$model" 8192 12000)
        read -r millis status <<<"$result"
        printf '| %s | %s | %s |\n' "$shape" "$millis" "$(short_plans)"
        rm -f "$model"
    done
}

print_errors() {
    local agree="$build/tests/test_agree_slow"
    [[ -x $agree ]] || agree="$root/build/dev/tests/test_agree_slow"
    [[ -x $agree ]] || { printf '\n(test_agree_slow is not built: no comparison)\n'; return; }
    "$agree" --gtest_filter='*MemoryOracle*' --gtest_output="json:$folder/agree.json" >/dev/null || true
    printf '\n## Bytes against llama.cpp'"'"'s own figures\n\n'
    printf 'Static plans at 3 budgets and batches of 1 and 512 tokens, context 8192, CUDA device model;\n'
    printf 'model and context: largest difference in bytes. Compute: ours / llama.cpp'"'"'s, least and most.\n\n'
    printf '| model | placements | model, bytes | context, bytes | compute, least | compute, most |\n|---|---:|---:|---:|---:|---:|\n'
    awk -F'"' '
        $2 == "name" { name = $4; sub(/.*\//, "", name); gsub(/_/, "-", name) }
        $2 == "placements" { p = $4 }
        $2 == "model_error_bytes" { m = $4 }
        $2 == "context_error_bytes" { c = $4 }
        $2 == "compute_least" { l = $4 }
        $2 == "compute_most" { printf "| %s | %s | %s | %s | %s | %s |\n", name, p, m, c, l, $4 }
    ' "$folder/agree.json"
}

print_head
print_errors
print_plans
print_sweep
