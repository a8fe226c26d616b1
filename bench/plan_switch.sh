#!/usr/bin/env bash
# What plan switches take, against the bytes that they move over the bandwidth of the link, on simgpu.
#
#   bench/plan_switch.sh BUILD_FOLDER LLAMA_BENCH MODEL.gguf MIB
#
# MODEL is planned for MIB of device memory by the reference profiles, and run by llama-bench: prompts
# of 512 tokens and 40 tokens in turns, so that the plan switches there and back five times. The first
# one fills the arena and is left out.
set -euo pipefail

[[ $# -eq 4 ]] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 1; }
build=$1
bench=$2
model=$3
budget=$4
readonly build bench model budget
readonly gbps=0.25 profiles=${BASH_SOURCE[0]%/*}/../profiles/reference
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$build/bin/llama-pshard-plan-params" -m "$model" -mva "$budget" --registry "$folder/registry" \
    --cpu-profile "$profiles/cpu_profile.txt" --gpu-profile "$profiles/gpu_profile.txt" \
    --bench-plan -pg 512,40 -fa on -ub 512 >/dev/null 2>&1

env GGML_BACKEND_PATH="$build/bin/libggml-pshard.so" PSHARD_DEVICE="$build/tests/libggml-simgpu.so" \
    PSHARD_REGISTRY="$folder/registry" PSHARD_MAX_VRAM_ALLOC="$budget" PSHARD_PLAN=off \
    PSHARD_TRACE=/dev/null SIMGPU_CHECK=0 SIMGPU_H2D_GBPS=$gbps SIMGPU_D2H_GBPS=$gbps \
    "$bench" -m "$model" -dev PSHARD0 -t 1 -p 0 -n 0 -pg 512,40 -ub 512 -r 5 -fa 1 2>&1 |
    sed -nE 's/.*plan switch to the tier of ([0-9]+) tokens?: ([0-9.]+) MiB in ([0-9.]+) ms/\1 \2 \3/p' |
    sed 1d | sort -k1,1n -k3,3g |
    awk -v gbps=$gbps '
        function row(  floor) {
            if (n == 0) return
            floor = mib * 1.048576 / gbps
            printf "to %s tokens: %.2f MiB, %.1f ms of the link; took %.1f ms (%.1f to %.1f, %d switches): %+.1f %%\n",
                tier, mib, floor, ms[int((n + 1) / 2)], ms[1], ms[n], n, 100 * (ms[int((n + 1) / 2)] / floor - 1)
        }
        $1 != tier || $2 != mib { row(); n = 0 }
        { tier = $1; mib = $2; ms[++n] = $3 }
        END { row() }'
