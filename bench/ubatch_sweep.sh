#!/usr/bin/env bash
# Holds the ubatch that llama-pshard-run chooses against every one that a user may name, over shapes, budgets and
# contexts, by the times that it tells: none may be faster, by the plan or by stock llama.cpp alone. Prints a table;
# the status is 1 if a ubatch is.
#
#   bench/ubatch_sweep.sh BUILD_FOLDER [CASES]
#
# CASES: a file with lines "SHAPE FLAGS...", as below; "draft:SHAPE" among the flags is -md with that shape. The times
# are told in three digits, and what is chosen may be 2 % slower than the best (stock that is as good, and a larger
# ubatch for longer prompts): more than 3 % is a fault.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
readonly cases=${2:-}
export PSHARD_CPU_PROFILE="$root/profiles/reference/cpu_profile.txt"
export PSHARD_GPU_PROFILE="$root/profiles/reference/gpu_profile.txt" PSHARD_DEVICE=CPU
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export XDG_CACHE_HOME="$folder" HOME="$folder"
readonly ubatches=(16 32 64 128 256 512 1024 2048 4096 8192 16384)

# A program that only says which release it is.
release=$(sed -n 's/^set(PSHARD_LLAMA_VERSION \(.*\))/\1/p' "$root/cmake/llama_cpp.cmake")
cat >"$folder/llama-server" <<END
#!/bin/sh
case "\$1" in
--version) echo 'version: $release (build 1, commit abc)' >&2 ;;
--list-devices) printf 'Available devices:\n  PSHARD0: streams\n' ;;
esac
END
chmod +x "$folder/llama-server"

usual_cases() {
    cat <<'END'
Llama-3.3-70B -c 32768 -mva 400
Llama-3.3-70B -c 8192 -mva 1500
Llama-3.3-70B -c 32768 -mva 8000
Llama-3.3-70B -c 32768 -mva 8000 --for chat
Llama-3.3-70B -c 32768 -mva 5570 draft:Llama-3.2-3B
Llama-3.3-70B -c 32768 -mva 5700 draft:Llama-3.2-3B
Llama-3.3-70B -c 32768 -mva 5900 draft:Llama-3.2-3B
Llama-3.3-70B -c 32768 -mva 9000 draft:Llama-3.2-3B
GLM-4.5-Air -c 32768 -mva 700 --mtp
GLM-4.5-Air -c 32768 -mva 700
GLM-4.5-Air -c 16384 -mva 7000 --mtp
Gemma-3-27B -c 32768 -mva 1500
Gemma-3-27B -c 32768 -mva 6000
gpt-oss-20b -c 32768 -mva 1000
gpt-oss-20b -c 32768 -mva 4000
gpt-oss-120b -c 131072 -mva 8000
Qwen3-30B-A3B -c 16384 -mva 300
Qwen3-30B-A3B -c 65536 -mva 6000 --for agent
Qwen3-30B-A3B -c 16384 -mva 4000 --for batch
Qwen3-Next-80B-A3B -c 32768 -mva 3000
Command-R-35B -c 8192 -mva 1200
DeepSeek-V2-Lite -c 16384 -mva 800
Llama-3.2-3B -c 4096 -mva 1500
Llama-3.2-3B -c 4096 -mva 200
Llama-3.2-3B -c 400 -mva 150
Llama-3.2-3B -c 32768 -np 32 -mva 900
GLM-4.5-Air -c 32768 -np 4 -mva 1500 --mtp
Gemma-3-27B -c 131072 -mva 900
Gemma-3-27B -c 8192 -mva 500 -np 4 -kvu
Mistral-Small-24B -c 32768 -mva 5700 --for chat draft:Llama-3.2-3B
Mistral-Small-24B -c 32768 -mva 6000 --for batch draft:Llama-3.2-3B
Llama-3.3-70B -c 32768 -ctk q8_0 -ctv q8_0 -mva 2500
Llama-4-Scout -c 32768 -mva 1000
Granite-4.0-H-Small -c 16384 -mva 500
END
}

model_of() { # shape
    local quant=Q4_K_M
    case $1 in gpt-oss-*) quant=MXFP4 ;; esac
    [[ -f "$folder/$1.gguf" ]] ||
        "$build/bin/pshard-make-model" "$1" --quant "$quant" -o "$folder/$1.gguf" >/dev/null
    printf '%s' "$folder/$1.gguf"
}

# "PLAN-SECONDS STOCK-SECONDS UBATCH started", of stock within the named ubatch; nothing where no plan is told.
times_of() { # flags...
    "$build/bin/llama-pshard-run" "$@" --host-memory 200000 --quiet --dry-run -- "$folder/llama-server" \
        >"$folder/out" 2>"$folder/err" || true
    awk -v started="$(sed -n 's/.* -ub \([0-9]*\) -c .*/\1/p' "$folder/out" | tail -n 1)" '
        / s by the plan, / {
            plan = $0; sub(/ s by the plan, .*/, "", plan); sub(/.*tokens take /, "", plan)
            stock = $0; sub(/.* s by the plan, /, "", stock)
            if (stock ~ / \(/) { sub(/.* \(/, "", stock) } else if (stock ~ / with -ub /) stock = "-"
            sub(/ s.*/, "", stock)
            print plan, stock, started, /stock llama.cpp alone is (as good|faster)/ ? "stock" : "plan"
        }' "$folder/err"
}

# Prints the row of a case; fails where a named ubatch is faster.
print_row() { # words...
    local -a flags=(-m "$(model_of "$1")")
    local name=$1 word chosen
    shift
    for word in "$@"; do
        case $word in
            draft:*) flags+=(-md "$(model_of "${word#draft:}")") ;;
            *) flags+=("$word") ;;
        esac
    done
    chosen=$(times_of "${flags[@]}")
    for n in "${ubatches[@]}"; do
        printf '%s %s\n' "$n" "$(times_of "${flags[@]}" -ub "$n")"
    done | awk -v name="$name $*" -v chosen="$chosen" '
        NF >= 3 && (best == "" || $2 < best) { best = $2; at = "plan, -ub " $1 }
        NF >= 3 && $3 != "-" && (best == "" || $3 < best) { best = $3; at = "stock, -ub " $1 }
        END {
            split(chosen, c, " ")
            seconds = c[4] == "stock" ? c[2] : c[1]
            fault = best != "" && (seconds == "" || seconds > best * 1.03)
            printf "| %s | %s, -ub %s | %s | %s | %s |%s\n", name, c[4], c[3], seconds, at, best,
                   fault ? " FASTER" : ""
            exit fault
        }'
}

printf '| shape | started | s | fastest that is named | s |\n|---|---|---:|---|---:|\n'
faults=0
while read -r -a words; do
    [[ ${#words[@]} -gt 0 ]] || continue
    print_row "${words[@]}" || faults=1
done < <(if [[ -n $cases ]]; then cat "$cases"; else usual_cases; fi)
exit "$faults"
