#!/usr/bin/env bash
# The page of the planner has the flags of its --help, word by word.
set -euo pipefail

exec "$PSHARD_SOURCE_DIR/scripts/flag-tables" --check "$PSHARD_TOOL_DIR/llama-pshard-plan-params" \
    "$PSHARD_SOURCE_DIR/docs/cli/llama-pshard-plan-params.md"
