# tests/backend/harness/*.cpp -> pshard_backend_harness: runs llama.cpp with and without PSHARD0
#                                and compares; linked into test_backend and test_backend_slow
# tests/backend/logits_run.cpp -> logits_run: one run of a model, for the harness to start
#
# Where libggml-pshard.so (PSHARD_PLUGIN_PATH) is not built, the tests that need it are skipped.

file(GLOB harness_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/harness/*.cpp")
add_library(pshard_backend_harness STATIC ${harness_sources})
target_include_directories(pshard_backend_harness PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(pshard_backend_harness
    PUBLIC pshard_base pshard_shapes pshard::llama
    PRIVATE pshard_warnings)

add_executable(logits_run "${CMAKE_CURRENT_LIST_DIR}/logits_run.cpp")
target_link_libraries(logits_run PRIVATE pshard_warnings pshard_backend_harness)
target_compile_definitions(pshard_backend_harness PUBLIC
    ${definitions}
    PSHARD_PLUGIN_PATH="${PSHARD_PLUGIN_PATH}"
    PSHARD_LOGITS_RUN="${CMAKE_CURRENT_BINARY_DIR}/logits_run")

foreach(program test_backend test_backend_slow)
    if(TARGET ${program})
        target_link_libraries(${program} PRIVATE pshard_backend_harness)
        add_dependencies(${program} logits_run)
        foreach(backend pshard_plugin_library ggml-simgpu)
            if(TARGET ${backend})
                add_dependencies(${program} ${backend})
            endif()
        endforeach()
    endif()
endforeach()
