#!/usr/bin/env bash
# llama-pshard-run with llama.cpp's own programs: their answers are those of stock. The CPU stands in for
# the GPU; the model is of a type that its backend computes alike wherever it lies.
set -euo pipefail

[[ -z ${PSHARD_SANITIZE-} ]] || { echo "skipped: llama.cpp's programs load no sanitized library"; exit 77; }

readonly run=$PSHARD_TOOL_DIR/llama-pshard-run
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME=$folder PSHARD_DEVICE=CPU
unset XDG_CACHE_HOME

fail() { echo "FAILED: $*"; exit 1; }

# BF16 where the CPU backend keeps F16 in a layout of its own (AMX), whose kernels stock alone would use.
quant=F16
if "$PSHARD_CPU_LAYOUTS" "$PSHARD_LLAMA_BIN_DIR" 2>/dev/null | grep -q '^f16 '; then quant=BF16; fi

# What of stock's output counts into `expected`, of ours into `answer`. Ours was by the plan.
ask_both() { # what counts of the output (sed), program, argument...
    local counts=$1 program=$2
    shift 2
    "$program" -m model.gguf -c 512 -b 512 -ub 512 -t 2 -fa on "$@" </dev/null >stock.txt 2>stock.err
    "$run" -m model.gguf -c 512 -t 2 -fa on -mva 6 -- "$program" "$@" </dev/null >pshard.txt 2>pshard.err ||
        { tail pshard.err; fail "$program"; }
    grep -q 'pshard: plan from /.*/model.gguf.tensor_overrides' pshard.err || fail "$program: not by the plan"
    { sed -n "$counts" stock.txt stock.err; echo; } | grep -a . >expected || true
    { sed -n "$counts" pshard.txt pshard.err; echo; } | grep -a . >answer || true
}

# llama.cpp's programs write through a thread that at times loses their last words when they end: so up
# to five tries. A wrong answer is wrong each time.
same_answer() { # what counts of the output (sed), program, argument...
    local program=$PSHARD_LLAMA_BIN_DIR/$2 counts=$1 i
    shift 2
    [[ -x $program ]] || { echo "SKIPPED: there is no $program"; return 0; }
    for ((i = 0; i < 5; i++)); do
        ask_both "$counts" "$program" "$@"
        if [[ -s expected ]] && cmp -s expected answer; then
            echo "$(basename "$program"): $(head -c 60 answer | head -n 1)"
            return 0
        fi
    done
    diff expected answer || true
    fail "$program answers otherwise than stock"
}

"$PSHARD_TOOL_DIR/pshard-make-model" --random llama --layers 8 --embd 256 --ff 1024 --vocab 2048 \
    --quant "$quant" -o model.gguf >/dev/null
seq 1 1500 | tr '\n' ' ' >text.txt
ask_both '/^hello/p' "$PSHARD_LLAMA_BIN_DIR/llama-completion" -p hello -n 1 -no-cnv
grep -q 'planned for' pshard.err || fail "nothing was planned"
same_answer '/^hello/p' llama-completion -p hello -n 16 -no-cnv --seed 1 --temp 0
grep -q 'llama-pshard-run: plan of /.*/model.gguf' pshard.err || fail "the registry was not used"
same_answer 's/^.*\(\[1\][0-9.]*,\).*/\1/p' llama-perplexity -f text.txt --chunks 2

# llama-bench has no answers: it must run its tests, on PSHARD0.
"$run" -m model.gguf -mva 6 -- "$PSHARD_LLAMA_BIN_DIR/llama-bench" -p 32 -n 4 -r 1 -o jsonl >bench.txt 2>bench.err ||
    { tail bench.err; fail "llama-bench"; }
[[ $(grep -c '"devices": "PSHARD0"' bench.txt) -eq 2 ]] || { cat bench.txt; fail "llama-bench"; }
[[ $(grep -c 'pshard: plan from /.*/model.gguf.tensor' bench.err) -ge 1 ]] || fail "llama-bench: not by the plan"
! grep 'planning here' bench.err || fail "llama-bench: a context without a plan"
