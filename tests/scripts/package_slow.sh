#!/usr/bin/env bash
# cpack -G DEB: the package holds the programs, the plugin where GGML_BACKEND_PATH can name it, pages and
# completions, and depends on what the programs link to.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() { echo "FAILED: $*"; exit 1; }

main() {
    [[ -z ${PSHARD_SANITIZE-} ]] || { echo "a build with sanitizers is not packed: skipped"; exit 77; }
    command -v dpkg-deb >/dev/null || { echo "no dpkg-deb: skipped"; exit 77; }
    cpack -G DEB --config "$PSHARD_BINARY_DIR/CPackConfig.cmake" -B "$folder" >"$folder/log" 2>&1 ||
        { cat "$folder/log"; fail "cpack"; }
    local package content path
    package=$(echo "$folder"/*.deb)
    content=$(dpkg-deb -c "$package")
    for path in usr/bin/llama-pshard-run usr/bin/llama-pshard-plan-params usr/bin/llama-profiler-cpu \
        usr/lib/pshard/libggml-pshard.so usr/lib/pshard/libllama.so.0 usr/lib/pshard/libggml-cpu.so \
        usr/share/man/man1/llama-pshard-run.1 usr/lib/cmake/pshard/pshard-config.cmake \
        usr/share/bash-completion/completions/llama-pshard-run usr/share/doc/pshard/copyright; do
        grep -q " \./$path$" <<<"$content" || fail "$path is not in it"
    done
    [[ $(dpkg-deb -f "$package" Depends) == *libfmt* ]] || fail "it does not depend on libfmt"
    dpkg-deb -x "$package" "$folder/root"
    (cd "$folder" && env -i "$folder/root/usr/bin/llama-pshard-plan-params" --version) || fail "it does not run"
    echo "$(basename "$package"): $(wc -l <<<"$content") files, $(stat -c %s "$package") bytes"
}

main "$@"
