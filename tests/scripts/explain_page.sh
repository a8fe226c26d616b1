#!/usr/bin/env bash
# Makes a report of llama-pshard-explain, with a trace, and has Chromium open it: explain_page.mjs.
# Without node or Chromium (scripts/setup installs it) it is skipped and says so.
set -euo pipefail

readonly source=$PSHARD_SOURCE_DIR
readonly tools=$PSHARD_TOOL_DIR
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

chromium=$(command -v chromium || command -v chromium-browser || true)
if [[ -z $chromium ]] || ! command -v node >/dev/null; then
    echo "skipped: chromium or node is not installed"
    exit 77
fi

"$tools/pshard-make-model" Llama-3.2-3B --quant Q4_K_M -o "$scratch/model.gguf" >/dev/null
explain() { # argument...
    "$tools/llama-pshard-explain" -c 4096 -fa on -mva 1200 \
        --cpu-profile "$source/profiles/reference/cpu_profile.txt" \
        --gpu-profile "$source/profiles/reference/gpu_profile.txt" "$@" 2>"$scratch/notes"
}

# The prediction of two tiers, played back as if it had been measured.
explain -m "$scratch/model.gguf" --save-inventory "$scratch/model.inv" -o json >"$scratch/plan.json"
node "$source/tests/scripts/trace_of_plan.mjs" "$scratch/plan.json" >"$scratch/trace.json"
explain --inventory "$scratch/model.inv" --trace "$scratch/trace.json" \
    --what-if link=16GB/s,vram=2GiB --html "$scratch/report.html" >"$scratch/report.md"
grep -q '^## Predicted against measured' "$scratch/report.md"
node "$source/tests/scripts/explain_page.mjs" "$chromium" "$scratch/report.html" "$scratch" --any-times ${SHOTS:+"$SHOTS"}
