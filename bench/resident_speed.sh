#!/usr/bin/env bash
# Tokens per second with everything resident: through PSHARD0, as a share of the inner backend alone,
# on simgpu.
#
#   bench/resident_speed.sh BUILD_FOLDER LLAMA_BENCH MODEL.gguf [PAIRS]
#
# Each of PAIRS (9) pairs is one run of both, five repetitions of which the median counts, right
# behind each other, in turns the one and the other first: what the machine does meanwhile meets both.
# The median of the pairs' shares is printed, with their quartiles.
set -euo pipefail

[[ $# -ge 3 ]] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 1; }
build=$1
bench=$2
model=$3
pairs=${4:-9}
readonly build bench model pairs
readonly simgpu=$build/tests/libggml-simgpu.so plugin=$build/bin/libggml-pshard.so

# "pp512 RATE" and "tg64 RATE".
rates() { # device, environment...
    local device=$1
    shift
    env SIMGPU_CHECK=0 "$@" "$bench" -m "$model" -dev "$device" -t 1 -p 512 -n 64 -r 5 -fa 1 \
        -o jsonl 2>/dev/null |
        sed -nE 's/.*"n_gen": *([0-9]+).*"samples_ts": *\[ *([^]]*)\].*/\1 \2/p' | tr -d , |
        while read -r generated samples; do
            printf '%s %s\n' "$([[ $generated -gt 0 ]] && echo tg64 || echo pp512)" \
                "$(tr ' ' '\n' <<<"$samples" | grep . | sort -g | sed -n 3p)"
        done
}

alone() { rates SIM0 GGML_BACKEND_PATH="$simgpu" | sed 's/^/alone /'; }

through() { rates PSHARD0 GGML_BACKEND_PATH="$plugin" PSHARD_DEVICE="$simgpu" | sed 's/^/through /'; }

for ((i = 0; i < pairs; ++i)); do
    if ((i % 2 == 0)); then alone; through; else through; alone; fi
done | awk '
    { rate[$1, $2, ++n[$1, $2]] = $3; if (!($2 in seen)) { seen[$2]; order[++tests] = $2 } }
    END {
        for (t = 1; t <= tests; ++t) {
            test = order[t]; count = n["alone", test]
            for (i = 1; i <= count; ++i) share[i] = rate["through", test, i] / rate["alone", test, i]
            for (i = 2; i <= count; ++i)
                for (k = i; k > 1 && share[k] < share[k - 1]; --k) { x = share[k]; share[k] = share[k - 1]; share[k - 1] = x }
            printf "%s: %.4f of the inner backend alone (quartiles %.4f to %.4f, %d pairs)\n",
                test, share[int((count + 1) / 2)], share[int((count + 3) / 4)], share[int((3 * count + 1) / 4)], count
        }
    }'
