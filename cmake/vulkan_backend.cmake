# A GPU for the tests on any machine: ggml's Vulkan backend over Mesa's lavapipe.
#
#   PSHARD_VULKAN_BACKEND   path of libggml-vulkan.so, or empty: tests that need it are skipped
#
# It is never in a folder that a program searches by itself: a test that wants a GPU names the path
# in GGML_BACKEND_PATH (tests/support/vulkan_device.h).

set(PSHARD_VULKAN_BACKEND "" CACHE FILEPATH
    "libggml-vulkan.so for the tests; empty: fetched by scripts/get-vulkan-backend")

if(NOT PSHARD_VULKAN_BACKEND AND PSHARD_BUILD_TESTS AND PSHARD_VULKAN_TESTS)
    set(_pshard_vulkan "${PSHARD_LLAMA_BUILD_DIR}/vulkan")
    execute_process(COMMAND "${PROJECT_SOURCE_DIR}/scripts/get-vulkan-backend"
                            "${_pshard_vulkan}" "${PSHARD_LLAMA_BIN_DIR}"
                    RESULT_VARIABLE _pshard_failed)
    if(_pshard_failed)
        message(WARNING "ggml's Vulkan backend could not be fetched (see above): the tests that "
                        "need a GPU will be skipped. Name one with -DPSHARD_VULKAN_BACKEND=PATH, "
                        "or turn them off with -DPSHARD_VULKAN_TESTS=OFF.")
    else()
        set(PSHARD_VULKAN_BACKEND "${_pshard_vulkan}/libggml-vulkan.so")
    endif()
endif()
