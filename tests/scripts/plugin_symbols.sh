#!/usr/bin/env bash
# The plugin wants nothing of llama.cpp: a host need not have it, and node-llama-cpp hides its own.
set -euo pipefail

core=$PSHARD_BINARY_DIR/bin/libggml-pshard-core.so
[[ -f $core ]] || { echo "$core is not there"; exit 77; }
wanted=$(nm --dynamic --undefined-only "$core" | awk '$NF ~ /^llama_/ { print $NF }')
[[ -z $wanted ]] || { echo "$core wants of llama.cpp: ${wanted//$'\n'/ }"; exit 1; }
