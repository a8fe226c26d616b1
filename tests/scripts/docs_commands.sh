#!/usr/bin/env bash
# Runs every command line of README.md and docs/: all ```sh blocks, line by line, in a folder with a
# small model and small profiles. A command that names one of our programs and stands in no such block
# is a fault, so that none goes untested.
#
# Stand-ins: model.gguf is a random model of a few MB, the profiles are those of the reference machine,
# llama-server (which would not end) and missing programs of llama.cpp's print how they were started,
# the profilers get a time limit, build/dev and build/release are this build.
set -euo pipefail

readonly root=$PSHARD_SOURCE_DIR
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
n_run=0
n_left_out=0
failed=0

# Why a command is not run here; nothing: it is run.
reason_to_leave_out() { # command
    case $1 in
        "cmake --"*) echo "builds pshard once more" ;;
        scripts/plan-demo*) echo "builds pshard once more, installs packages" ;;
        scripts/run-demo*) echo "builds llama.cpp's programs; scripts.run_demo runs it with what is built" ;;
        scripts/run-tests*) echo "runs this test" ;;
        *llama-profiler-gpu*) [[ -n $PSHARD_VULKAN_BACKEND ]] || echo "needs a GPU, or the Vulkan backend" ;;
        *libggml-simgpu.so*) [[ -z $PSHARD_SANITIZE ]] || echo "llama.cpp's programs load no sanitized library" ;;
    esac
}

# Commands of a file, one a line: continued lines joined, comments cut off, "FILE:LINE" before them.
# shellcheck disable=SC2016  # the dollars are awk's
readonly extract='
/^```sh$/ { in_block = 1; next }
/^```/ { in_block = 0; fence = !fence; next }
in_block && /^[ \t]*(#|$)/ { next }
in_block {
    line = line $0
    if (sub(/\\$/, "", line)) next
    sub(/ +# .*/, "", line)
    print FILENAME ":" FNR "\t" line
    line = ""
    next
}
/^    (GGML_BACKEND_PATH=[^ ]* )?(llama-(pshard|profiler)|pshard-|scripts\/[a-z])/ { print FILENAME ":" FNR "\tFAULT" }'

# A program that says how it was started, for the ones that are missing or would not end.
stand_in() { # name
    cat >"$folder/bin/$1" <<'END'
#!/bin/sh
case $1 in
    --version) echo "version: 0.5.0 (build 1, commit stand-in)"; exit ;;
    --list-devices) printf 'Available devices:\n  PSHARD0: stand-in\n'; exit ;;
esac
[ -n "$*" ] || exit 1
[ -z "$GGML_BACKEND_PATH" ] || [ -f "$GGML_BACKEND_PATH" ] || { echo "no $GGML_BACKEND_PATH"; exit 1; }
echo "started: $*"
END
    chmod +x "$folder/bin/$1"
}

# The profiler itself, in a few seconds; in more where the machine is too busy to measure in so few.
shorten() { # name
    cat >"$folder/bin/$1" <<END
#!/bin/sh
for seconds in 2 8 32; do
    "$PSHARD_TOOL_DIR/$1" --time-limit \$seconds "\$@" && exit 0
done
exit 1
END
    chmod +x "$folder/bin/$1"
}

set_up() {
    local program
    mkdir -p "$folder/bin" "$folder/home" "$folder/work"
    stand_in llama-server
    for program in llama-cli llama-completion llama-bench llama-perplexity; do
        [[ -x $PSHARD_LLAMA_BIN_DIR/$program ]] || stand_in "$program"
    done
    shorten llama-profiler-cpu
    shorten llama-profiler-gpu
    "$PSHARD_TOOL_DIR/pshard-make-model" --random llama --quant Q4_0 -o "$folder/work/model.gguf" >/dev/null
    cp "$root"/profiles/reference/*_profile.txt "$folder/work"
}

# What a sanitized build is told of known leaks in drivers.
mapfile -t sanitizers < <(env | grep -E '^(ASAN|LSAN|UBSAN)_OPTIONS=' || true)

gpu_variables() {
    [[ -z $PSHARD_VULKAN_BACKEND ]] || printf '%s\n' GGML_BACKEND_PATH="$PSHARD_VULKAN_BACKEND" \
        GGML_VK_VISIBLE_DEVICES=0 VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.x86_64.json
}

# In a copy of the folder: profiles that one command writes are not the next one's.
run_command() { # place, command
    local command=${2//build\/dev/$PSHARD_BINARY_DIR} variables=()
    command=${command//build\/release/$PSHARD_BINARY_DIR}
    rm -rf "$folder/here"
    cp -r "$folder/work" "$folder/here"
    [[ $command != *llama-profiler-gpu* ]] || mapfile -t variables < <(gpu_variables)
    (cd "$folder/here" && env -i HOME="$folder/home" "${variables[@]}" "${sanitizers[@]}" \
        PATH="$folder/bin:$PSHARD_TOOL_DIR:$PSHARD_LLAMA_BIN_DIR:/usr/bin:/bin" \
        timeout 300 bash -c "set -o pipefail; $command" </dev/null >out.txt 2>&1)
}

check() { # place, command
    local reason
    reason=$(reason_to_leave_out "$2")
    if [[ $2 == FAULT ]]; then
        echo "FAILED $1: a command outside of a \`\`\`sh block is not tested: make it one"
        failed=$((failed + 1))
    elif [[ -n $reason ]]; then
        echo "left out $1: $2: $reason"
        n_left_out=$((n_left_out + 1))
    elif run_command "$1" "$2"; then
        echo "ran $1: $2"
        n_run=$((n_run + 1))
    else
        echo "FAILED $1: $2"
        tail -n 20 "$folder/here/out.txt"
        failed=$((failed + 1))
    fi
}

main() {
    local place command
    set_up
    while IFS=$'\t' read -r place command; do
        check "${place#"$root"/}" "$command"
    done < <(find "$root/README.md" "$root/docs" -name '*.md' -print0 | sort -z | xargs -0 awk "$extract")
    echo "$n_run commands ran, $n_left_out were left out, $failed failed"
    [[ $failed -eq 0 && $n_run -ge 8 ]]
}

main "$@"
