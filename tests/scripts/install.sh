#!/usr/bin/env bash
# cmake --install into an empty folder: the programs run from there and find each other, find_package and
# pkg-config lead to the library, pages and completions are there.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
readonly prefix=$folder/usr

fail() { echo "FAILED: $*"; exit 1; }

# Nothing of the build is in the environment.
alone() { # command...
    (cd "$folder" && env -i HOME="$folder" PATH="$prefix/bin:/usr/bin:/bin" "$@")
}

check_programs() {
    local program
    for program in llama-pshard-run llama-pshard-plan-params llama-profiler-cpu llama-profiler-gpu; do
        alone "$program" --help | grep '^SYNOPSIS' >/dev/null || fail "$program --help"
        ! ldd "$prefix/bin/$program" | grep 'libllama\|libggml' | grep -v "$prefix/bin/../lib/pshard/" ||
            fail "$program takes libraries from elsewhere"
        ! ldd "$prefix/bin/$program" | grep 'not found' || fail "$program lacks libraries"
    done
    alone pshard-make-model --random llama --quant Q4_0 -o model.gguf >/dev/null
    alone llama-pshard-plan-params -m model.gguf -c 512 -mva 1 >/dev/null 2>&1 || fail "planning"
    [[ -s $folder/model.gguf.tensor_overrides.pshard_registry ]] || fail "no registry"
    alone llama-profiler-cpu --list-devices | grep '^CPU' >/dev/null || fail "no CPU backend is installed"
}

# The installed plugin in llama.cpp's own program.
check_run() {
    local out
    [[ -x $PSHARD_LLAMA_BIN_DIR/llama-completion ]] || { echo "no llama-completion: skipped"; return 0; }
    out=$(alone llama-pshard-run -m model.gguf -c 512 -mva 1 -- "$PSHARD_LLAMA_BIN_DIR/llama-completion" \
        -p hello -n 4 -no-cnv </dev/null 2>&1) || fail "$out"
    grep -q "pshard: plan from /.*/model.gguf" <<<"$out" || fail "not by the plan: $out"
}

write_project() {
    mkdir -p "$folder/project"
    cat >"$folder/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(tiny LANGUAGES CXX)
find_package(pshard 0.1 REQUIRED)
if(NOT EXISTS "${PSHARD_PLUGIN}")
    message(FATAL_ERROR "PSHARD_PLUGIN is not there: ${PSHARD_PLUGIN}")
endif()
add_executable(tiny tiny.cpp)
target_link_libraries(tiny PRIVATE pshard::pshard)
END
    cat >"$folder/project/tiny.cpp" <<'END'
#include <cstdio>

#include "registry/registry_file.h"
#include "search/search.h"

int main(int, char** argv) {
    const auto reading = pshard::load_registry(argv[1]);
    if (!reading) return 1;
    const pshard::Inventory nothing;
    const pshard::Problem problem{nothing, nullptr, 0, 0, {}, std::nullopt};
    std::printf("%zu sections\n", reading.value().registry.sections.size());
    return problem.budget == 0 ? 0 : 2;
}
END
}

check_package() {
    local registry=$folder/model.gguf.tensor_overrides.pshard_registry flags
    write_project
    cmake -S "$folder/project" -B "$folder/build" -DCMAKE_PREFIX_PATH="$prefix" >"$folder/log" 2>&1 ||
        { cat "$folder/log"; fail "find_package(pshard)"; }
    cmake --build "$folder/build" >"$folder/log" 2>&1 || { cat "$folder/log"; fail "linking pshard::pshard"; }
    [[ $("$folder/build/tiny" "$registry") == "1 sections" ]] || fail "the tiny program"

    command -v pkg-config >/dev/null || { echo "no pkg-config: skipped"; return 0; }
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    flags=$(pkg-config --cflags --libs pshard) || fail "pkg-config"
    # shellcheck disable=SC2086  # words
    "${CXX:-c++}" "$folder/project/tiny.cpp" $flags -o "$folder/tiny" || fail "linking by pkg-config"
    [[ $("$folder/tiny" "$registry") == "1 sections" ]] || fail "the tiny program of pkg-config"
    [[ -f $(pkg-config --variable=plugin pshard) ]] || fail "pkg-config names no plugin"
}

check_pages() {
    local program names
    for program in "$prefix"/bin/*; do
        program=${program##*/}
        grep -q '^\.SH OPTIONS' "$prefix/share/man/man1/$program.1" || fail "man page of $program"
        page_is_clean "$prefix/share/man/man1/$program.1" || fail "man page of $program: groff warns"
        bash -n "$prefix/share/bash-completion/completions/$program" || fail "bash completion of $program"
        [[ $(head -n 1 "$prefix/share/zsh/vendor-completions/_$program") == "#compdef $program" ]] ||
            fail "zsh completion of $program"
    done
    # Every flag of the help is a word that completes.
    names=$(alone llama-pshard-run --help | awk '/^[A-Z]/ { on = $0 == "OPTIONS" } on && /^    -/' |
        grep -oE '(^| )--?[a-z][a-z-]*' | tr -d ' ' | sort -u)
    for program in $names; do
        completes "llama-pshard-run $program" | grep -x -- "$program" >/dev/null || fail "$program does not complete"
    done
    [[ $(completes "llama-pshard-run --for ag") == agent ]] || fail "goals do not complete"
    completes "llama-pshard-run -m x -- bas" | grep -x bash >/dev/null || fail "programs behind -- do not complete"
    command -v zsh >/dev/null || { echo "no zsh: its completion is not tried"; return 0; }
    [[ $(zsh_line 'llama-pshard-run --for ag' 'agent') == *'--for agent'* ]] || fail "goals do not complete in zsh"
}

# What zsh makes of the line and a tab, in a terminal of its own; it has a minute.
zsh_line() { # line, what to wait for
    zsh -f <<END
zmodload zsh/zpty
zpty -b shell zsh -f -i
wait_for() {
    text=
    for i in {1..1200}; do
        zpty -r shell part; text+=\$part
        [[ \$text != *\$1* ]] || break
        sleep 0.05
    done
}
zpty -w shell "PROMPT=; fpath=($prefix/share/zsh/vendor-completions \\\$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^I' complete-word; echo REA''DY"
wait_for READY
zpty -w -n shell \$'$1\t'
wait_for '$2'
print -r -- "\$text"
END
}

page_is_clean() { # page
    command -v groff >/dev/null || { echo "no groff: pages are not rendered"; return 0; }
    [[ -z $(groff -man -Tutf8 -ww "$1" 2>&1 >/dev/null) ]]
}

# What bash offers at the end of a line.
completes() { # line
    (
        # shellcheck disable=SC1091  # made by the build
        source "$prefix/share/bash-completion/completions/llama-pshard-run"
        read -r -a COMP_WORDS <<<"$1"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _llama_pshard_run
        printf '%s\n' "${COMPREPLY[@]}"
    )
}

main() {
    [[ -z ${PSHARD_SANITIZE-} ]] || { echo "a build with sanitizers is not installed: skipped"; exit 77; }
    cmake --install "$PSHARD_BINARY_DIR" --prefix "$prefix" >"$folder/log" 2>&1 ||
        { tail "$folder/log"; fail "cmake --install"; }
    check_programs
    check_run
    check_package
    check_pages
    echo "installed $(find "$prefix" -type f | wc -l) files"
}

main "$@"
