# GPUs for the tests on any machine: ggml's Vulkan backend over Mesa's lavapipe, and its CUDA backend over
# tests/fakecuda, which computes nothing and keeps CUDA's rules.
#
#   PSHARD_VULKAN_BACKEND   path of libggml-vulkan.so, or empty: tests that need it are skipped
#   PSHARD_CUDA_BACKEND     path of libggml-cuda.so of llama.cpp v0.5.0 for CUDA 13, or empty likewise
#
# They are never in a folder that a program searches by itself: a test that wants a GPU names the path
# in GGML_BACKEND_PATH (tests/support/test_gpu.h, tests/backend/harness/grid.h).

# Sets PSHARD_<KIND>_BACKEND to what the user named, or to what is fetched.
function(pshard_gpu_backend kind)
    string(TOUPPER ${kind} upper)
    set(PSHARD_${upper}_BACKEND "" CACHE FILEPATH
        "libggml-${kind}.so for the tests; empty: fetched by scripts/get-gpu-backend")
    if(PSHARD_${upper}_BACKEND OR NOT PSHARD_BUILD_TESTS OR NOT PSHARD_${upper}_TESTS)
        return()
    endif()
    set(folder "${PSHARD_LLAMA_BUILD_DIR}/${kind}")
    execute_process(COMMAND "${PROJECT_SOURCE_DIR}/scripts/get-gpu-backend"
                            ${kind} "${folder}" "${PSHARD_LLAMA_BIN_DIR}"
                    RESULT_VARIABLE failed)
    if(failed)
        message(WARNING "ggml's ${kind} backend could not be fetched (see above): the tests that "
                        "need it will be skipped. Name one with -DPSHARD_${upper}_BACKEND=PATH, "
                        "or turn them off with -DPSHARD_${upper}_TESTS=OFF.")
    else()
        set(PSHARD_${upper}_BACKEND "${folder}/libggml-${kind}.so" PARENT_SCOPE)
    endif()
endfunction()

pshard_gpu_backend(vulkan)
pshard_gpu_backend(cuda)
