#!/usr/bin/env bash
# llama-pshard-run with llama-server: it answers as stock, has the launcher's process, ends as it does on
# a signal, and its port is missed when it is taken; the report of the run has what was predicted and what was
# measured. Skipped (77) where llama.cpp was built without it.
set -euo pipefail

[[ -z ${PSHARD_SANITIZE-} ]] || { echo "skipped: llama.cpp's programs load no sanitized library"; exit 77; }

readonly run=$PSHARD_TOOL_DIR/llama-pshard-run server=$PSHARD_LLAMA_BIN_DIR/llama-server
[[ -x $server ]] || { echo "SKIPPED: there is no $server: llama.cpp was built without llama-server"; exit 77; }
folder=$(mktemp -d)
pid=
stop() { [[ -z $pid ]] || kill "$pid" 2>/dev/null || true; }
trap 'stop; rm -rf "$folder"' EXIT
cd "$folder"
export HOME=$folder PSHARD_DEVICE=CPU
readonly profiles=$PSHARD_SOURCE_DIR/profiles/reference
export PSHARD_CPU_PROFILE=$profiles/cpu_profile.txt PSHARD_GPU_PROFILE=$profiles/gpu_profile.txt
unset XDG_CACHE_HOME

fail() { echo "FAILED: $*"; cat server.log; exit 1; }

# BF16 where the CPU backend keeps F16 in a layout of its own (AMX), whose kernels stock alone would use.
quant=F16
if "$PSHARD_CPU_LAYOUTS" "$PSHARD_LLAMA_BIN_DIR" 2>/dev/null | grep -q '^f16 '; then quant=BF16; fi

# A request over bash's own sockets.
request() { # path, body
    { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    printf 'POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
        "$1" "${#2}" "$2" >&3
    cat <&3
    exec 3>&-
}

free_port() {
    local candidate
    for candidate in $(shuf -i 20000-60000 -n 50); do
        (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || { echo "$candidate"; return 0; }
    done
    return 1
}

# Waits until the server in $pid answers; "content" of the completion.
answer() {
    local i
    for ((i = 0; i < 600; i++)); do
        kill -0 "$pid" 2>/dev/null || fail "the server has ended"
        (request /completion '{"prompt":"a","n_predict":1}' >/dev/null) 2>/dev/null && grep -q 'listening' server.log && break
        sleep 0.2
    done
    request /completion '{"prompt":"hello world","n_predict":12,"temperature":0,"cache_prompt":false}' |
        grep -o '"content":"[^"]*"'
}

"$PSHARD_TOOL_DIR/pshard-make-model" --random llama --layers 8 --embd 256 --ff 1024 --vocab 2048 \
    --quant "$quant" -o model.gguf >/dev/null
port=$(free_port)
"$server" -m model.gguf -c 512 -np 1 -t 2 -fa on --port "$port" >server.log 2>&1 &
pid=$!
expected=$(answer)
kill "$pid"
wait "$pid" || true
: >server.log # the next one is not ready by what this one has said

port=$(free_port)
PSHARD_TRACE=$folder/trace.json "$run" -m model.gguf -c 512 -t 2 -fa on -mva 6 -- \
    "$server" --port "$port" >server.log 2>&1 &
pid=$!
found=$(answer)
[[ -n $expected && $found == "$expected" ]] || fail "'$found' instead of '$expected'"
grep -q 'pshard: plan from /.*/model.gguf.tensor_overrides' server.log || fail "not by the plan"
[[ $(readlink "/proc/$pid/exe") -ef $server ]] || fail "the launcher is still there"
if "$run" -m model.gguf -c 512 -mva 6 -- "$server" --port "$port" 2>second.log; then fail "two servers"; fi
grep -q "port $port of 127.0.0.1 is in use" second.log || { cat second.log; fail "the port was not missed"; }
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
pid=
[[ $code -eq 0 ]] || fail "exit code $code after SIGTERM"
echo "llama-server: $found"

# With a draft model in the same budget: the same answer, and some of it was drafted.
"$PSHARD_TOOL_DIR/pshard-make-model" --random llama --layers 2 --embd 256 --ff 512 --vocab 2048 \
    --quant "$quant" -o draft.gguf >/dev/null
: >server.log
port=$(free_port)
"$run" -m model.gguf -md draft.gguf -c 512 -t 2 -fa on -mva 16 -- "$server" --port "$port" >server.log 2>&1 &
pid=$!
drafted=$(answer)
[[ $drafted == "$expected" ]] || fail "'$drafted' instead of '$expected' with a draft model"
[[ $(grep -c 'pshard: plan up to' server.log) -ge 2 ]] || fail "only one of the two models was planned"
if grep -q 'of 0 MiB' server.log; then fail "nothing is left to the draft model"; fi
stop
wait "$pid" || true
pid=
# What was planned beside a draft model is not for a start without one.
"$run" -m model.gguf -c 512 -t 2 -fa on -mva 16 --dry-run -- "$server" >/dev/null 2>second.log
if grep -q 'plan of' second.log; then cat second.log; fail "the plan beside a draft model was taken"; fi

"$PSHARD_TOOL_DIR/llama-pshard-explain" -m model.gguf -c 512 -fa on -mva 6 --trace trace.json >report.md 2>notes
grep -q '^## Predicted against measured' report.md || { cat notes; fail "nothing was measured"; }
grep -Eq '^\| +1 \| +1 \| +[0-9]+ \| +[0-9.]+ \| +[0-9.]+ \|' report.md ||
    { cat report.md; fail "no pass of one token has a prediction"; }
