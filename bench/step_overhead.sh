#!/usr/bin/env bash
# What PSHARD0 adds to a step of decoding when everything is resident: seconds of the main thread,
# which issues the GPU's work, with the inner backend alone and through PSHARD0, on simgpu.
#
#   bench/step_overhead.sh BUILD_FOLDER LLAMA_BENCH MODEL.gguf [REPEATS]
#
# The thread's own time, as the scheduler counts it, so that other work on the machine does not
# enter; the difference of a long run and a short one, so that loading does not. The least of
# REPEATS (4) is printed, in milliseconds of a step.
set -euo pipefail

[[ $# -ge 3 ]] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 1; }
build=$1
bench=$2
model=$3
repeats=${4:-4}
readonly build bench model repeats
readonly steps=64 short=2 long=14

# Nanoseconds of the main thread of a run of so many repetitions.
main_thread_ns() { # device, repetitions, environment...
    local device=$1 repetitions=$2 last=0 now rest pid
    shift 2
    env SIMGPU_CHECK=0 "$@" "$bench" -m "$model" -dev "$device" -t 1 -p 0 -n "$steps" \
        -r "$repetitions" -fa 1 >/dev/null 2>&1 &
    pid=$!
    while read -r now rest 2>/dev/null <"/proc/$pid/task/$pid/schedstat"; do
        [[ $now -eq 0 ]] || last=$now
        sleep 0.005
    done
    wait "$pid"
    echo "$last"
}

per_step_ms() { # device, environment...
    local device=$1 few many
    shift
    few=$(main_thread_ns "$device" "$short" "$@")
    many=$(main_thread_ns "$device" "$long" "$@")
    awk -v ns=$((many - few)) -v n=$(((long - short) * steps)) 'BEGIN { printf "%.4f\n", ns / n / 1e6 }'
}

readonly simgpu=$build/tests/libggml-simgpu.so plugin=$build/bin/libggml-pshard.so
for ((i = 0; i < repeats; ++i)); do
    printf 'alone %s\n' "$(per_step_ms SIM0 GGML_BACKEND_PATH="$simgpu")"
    printf 'pshard %s\n' "$(per_step_ms PSHARD0 GGML_BACKEND_PATH="$plugin" PSHARD_DEVICE="$simgpu")"
done | awk '{ if (!($1 in least) || $2 < least[$1]) least[$1] = $2 }
    END { printf "alone %.4f ms, through PSHARD0 %.4f ms, added %.4f ms\n",
          least["alone"], least["pshard"], least["pshard"] - least["alone"] }'
