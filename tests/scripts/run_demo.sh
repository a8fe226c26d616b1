#!/usr/bin/env bash
# scripts/run-demo with what this build has made: it fails unless the registry's plan is taken and
# stock's answers come out.
set -euo pipefail

if [[ ! -e $PSHARD_LLAMA_BIN_DIR/llama-server || ! -e $PSHARD_TOOL_DIR/libggml-pshard.so ]]; then
    printf 'skipped: no llama-server or no libggml-pshard.so\n'
    exit 77
fi
if [[ -n ${PSHARD_SANITIZE-} ]]; then
    printf 'skipped: llama.cpp'"'"'s programs load no sanitized library\n'
    exit 77
fi
exec "$PSHARD_SOURCE_DIR/scripts/run-demo" --built "$PSHARD_TOOL_DIR" "$PSHARD_LLAMA_BIN_DIR" \
    "$PSHARD_BINARY_DIR/tests/run-demo"
