#!/usr/bin/env bash
# Plans every known shape and every other model file named, and prints docs/results/planning_time.md: the CPU time
# of the planner, of the launcher, of the report for the browser, and of the first plan in the backend.
#
#   [RUNS=3] [SHAPES=REGEX] bench/planning_time.sh BUILD_FOLDER [MODEL.gguf ...] > docs/results/planning_time.md
#
# SHAPES: only the known shapes whose whole name matches; empty: none.
# CPU time of all processes and threads together, since a shared machine has no honest seconds: on two idle cores
# it passes in half to all of that. BUILD_FOLDER: of the release preset. The launcher needs a llama-server: the one
# in BUILD_FOLDER/llama, else that of $PATH. With valgrind, the instructions of the model files are counted too.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
shift
export PSHARD_CPU_PROFILE="$root/profiles/reference/cpu_profile.txt"
export PSHARD_GPU_PROFILE="$root/profiles/reference/gpu_profile.txt"
export PATH="$build/llama:$PATH"
readonly contexts=(16384 131072)
readonly budget=10794
readonly runs=${RUNS:-3}
counts=
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export XDG_CACHE_HOME="$folder" HOME="$folder"

shapes() { "$build/bin/pshard-make-model" --list | awk '/^[A-Z a-z].*[0-9]/ && $1 ~ /-/ { print $1 }' | grep -xE "${SHAPES-.*}" || true; }

quant_of() { # shape
    case $1 in
        gpt-oss-*) printf 'MXFP4' ;;
        *) printf 'Q4_K_M' ;;
    esac
}

# The CPU seconds of a command, its threads and its children; its refusal is an answer.
cpu_seconds() { # command...
    local TIMEFORMAT='%U %S'
    { time "$@" >"$folder/out" 2>"$folder/err" || true; } 2>"$folder/time"
    awk '{ printf "%.2f\n", $1 + $2 }' "$folder/time"
}

# "0.31 (0.30 to 0.33)": the median of some runs, the least and the most.
spread() { # command...
    for ((run = 0; run < runs; ++run)); do cpu_seconds "$@"; done | sort -n |
        awk '{ t[NR] = $1 } END { printf "%s (%s to %s)", t[int((NR + 1) / 2)], t[1], t[NR] }'
}

# 10^9 instructions of planning all tiers of a saved inventory, a minute for each; known shapes have none.
instructions() { # inventory
    [[ $counts ]] || return 0
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$build/bin/llama-pshard-plan-params" \
        --inventory "$1" -mva "$budget" --no-registry 2>&1 >/dev/null |
        awk '/Collected/ { n = $NF } END { if (n) printf "%.1f", n / 1e9; else printf "-" }'
}

print_row() { # name model context
    local -a flags=(-m "$2" -c "$3" -mva "$budget")
    local inventory="$folder/inventory" first
    rm -f "$inventory"
    printf '| %s | %s ' "$1" "$3"
    printf '| %s ' "$(spread "$build/bin/llama-pshard-plan-params" "${flags[@]}" -fa on --no-registry)"
    printf '| %s ' "$(spread "$build/bin/llama-pshard-run" "${flags[@]}" --dry-run --replan -- llama-server)"
    printf '| %s ' "$(cpu_seconds "$build/bin/llama-pshard-explain" "${flags[@]}" -fa on --html "$folder/page.html")"
    "$build/bin/llama-pshard-plan-params" "${flags[@]}" -fa on --no-registry --save-inventory "$inventory" \
        >/dev/null 2>&1 || true
    first=$("$build/bench/bench_first_plan" "$inventory" "$budget" "$PSHARD_CPU_PROFILE" "$PSHARD_GPU_PROFILE")
    printf '| %s | %s |\n' "${first%% *}" "$(instructions "$inventory")"
}

printf '# Planning time\n\n'
printf 'Made by `bench/planning_time.sh` on %s: %s, %d cores. Seconds of CPU, of all threads and processes\ntogether; ' \
    "$(date +%F)" "$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)" "$(nproc)"
printf 'the median of %d runs, the least and the most; `--html` and the first plan: one run. Reference machine of\n' "$runs"
printf '`profiles/reference`, %d MiB, all tiers.\n\n' "$budget"
printf -- '- planner: `llama-pshard-plan-params`, captures included\n'
printf -- '- launcher: `llama-pshard-run --dry-run --replan`, which plans and holds the plan against stock\n'
printf -- '- html: `llama-pshard-explain --html`, 16 plans\n'
printf -- '- first plan: what the backend does without a registry (`bench_first_plan`), for all tiers at once\n'
printf -- '- instructions: of planning a saved inventory, 10^9, by callgrind\n\n'
printf '| model | -c | planner | launcher | html | first plan | instructions |\n'
printf '|---|---:|---:|---:|---:|---:|---:|\n'
for shape in $(shapes); do
    model="$folder/$shape.gguf"
    "$build/bin/pshard-make-model" "$shape" --quant "$(quant_of "$shape")" -o "$model" >/dev/null 2>&1
    for context in "${contexts[@]}"; do print_row "$shape" "$model" "$context"; done
    rm -f "$model"
done
command -v valgrind >/dev/null && counts=1
for model in "$@"; do
    for context in "${contexts[@]}"; do print_row "$(basename "$model" .gguf)" "$model" "$context"; done
done
