# tests/backend/harness/*.cpp -> pshard_backend_harness: runs llama.cpp with and without PSHARD0
#                                and compares; linked into all programs of this folder
# tests/backend/logits_run.cpp -> logits_run: one run of a model, for the harness to start
# tests/backend/preload/*.cpp  -> load_backends and keep_buffers, preloaded into a program
# tests/backend/hosts/*.cpp    -> local_host and fake_ggml_*, hosts for the door; cpu_layouts, which asks
#                                 a host's CPU backend which kernels it has; leaving_host, which frees nothing
#
# Where libggml-pshard.so (PSHARD_PLUGIN_PATH) is not built, the tests that need it are skipped.

file(GLOB harness_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/harness/*.cpp")
add_library(pshard_backend_harness STATIC ${harness_sources})
target_include_directories(pshard_backend_harness PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(pshard_backend_harness
    PUBLIC pshard_base pshard_models pshard::llama pshard::ggml_internal nlohmann_json::nlohmann_json
    PRIVATE pshard_warnings)

add_executable(logits_run "${CMAKE_CURRENT_LIST_DIR}/logits_run.cpp")
target_link_libraries(logits_run PRIVATE pshard_warnings pshard_backend_harness)
# No sanitizer is in them, as they go into programs of llama.cpp.
foreach(preloaded load_backends keep_buffers)
    add_library(${preloaded} MODULE "${CMAKE_CURRENT_LIST_DIR}/preload/${preloaded}.cpp")
    target_link_libraries(${preloaded} PRIVATE pshard_warnings pshard::ggml ${CMAKE_DL_LIBS})
    target_compile_definitions(${preloaded} PRIVATE ${PSHARD_PATH_DEFINITIONS})
    if(PSHARD_SANITIZE)
        target_compile_options(${preloaded} PRIVATE -fno-sanitize=all)
        target_link_options(${preloaded} PRIVATE -fno-sanitize=all)
    endif()
endforeach()

# A program with a ggml for itself alone, and libraries that are not our ggml.
add_executable(local_host "${CMAKE_CURRENT_LIST_DIR}/hosts/local_host.cpp")
target_link_libraries(local_host PRIVATE pshard_warnings ${CMAKE_DL_LIBS})
add_executable(cpu_layouts "${CMAKE_CURRENT_LIST_DIR}/hosts/cpu_layouts.cpp")
target_include_directories(cpu_layouts SYSTEM PRIVATE
    $<TARGET_PROPERTY:pshard::ggml_base,INTERFACE_INCLUDE_DIRECTORIES>)
target_link_libraries(cpu_layouts PRIVATE pshard_warnings ${CMAKE_DL_LIBS})
# A program that ends without freeing its context.
add_executable(leaving_host "${CMAKE_CURRENT_LIST_DIR}/hosts/leaving_host.cpp")
target_link_libraries(leaving_host PRIVATE pshard_warnings pshard::llama)
if(PSHARD_SANITIZE)  # they leave ggml's own leaks
    foreach(host cpu_layouts leaving_host)
        target_compile_options(${host} PRIVATE -fno-sanitize=all)
        target_link_options(${host} PRIVATE -fno-sanitize=all)
    endforeach()
endif()
foreach(kind newer old none)
    add_library(fake_ggml_${kind} MODULE "${CMAKE_CURRENT_LIST_DIR}/hosts/fake_ggml.cpp")
    target_link_libraries(fake_ggml_${kind} PRIVATE pshard_warnings ${CMAKE_DL_LIBS})
endforeach()
target_compile_definitions(fake_ggml_newer PRIVATE
    PSHARD_FAKE_REGISTRY PSHARD_FAKE_VERSION="0.99.0")
target_compile_definitions(fake_ggml_old PRIVATE PSHARD_FAKE_REGISTRY)
set(door_hosts local_host leaving_host fake_ggml_newer fake_ggml_old fake_ggml_none)

set(sanitizer_runtime "")
if(PSHARD_SANITIZE)
    set(runtime libasan.so)
    if(PSHARD_SANITIZE STREQUAL thread)
        set(runtime libtsan.so)
    endif()
    execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -print-file-name=${runtime}
                    OUTPUT_VARIABLE sanitizer_runtime OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
target_include_directories(pshard_backend_harness
    PUBLIC "${CMAKE_CURRENT_BINARY_DIR}/generated")
list(APPEND definitions
    PSHARD_SANITIZER_RUNTIME="${sanitizer_runtime}"
    PSHARD_NODE="${PSHARD_NODE}"
    PSHARD_NODE_HOST="${PSHARD_NODE_HOST}"
    PSHARD_NODE_SCRIPT="${CMAKE_CURRENT_LIST_DIR}/hosts/node_host.mjs"
    PSHARD_LOCAL_HOST="$<TARGET_FILE:local_host>"
    PSHARD_CPU_LAYOUTS="$<TARGET_FILE:cpu_layouts>"
    PSHARD_LEAVING_HOST="$<TARGET_FILE:leaving_host>"
    PSHARD_FAKE_GGML_NEWER="$<TARGET_FILE:fake_ggml_newer>"
    PSHARD_FAKE_GGML_OLD="$<TARGET_FILE:fake_ggml_old>"
    PSHARD_FAKE_GGML_NONE="$<TARGET_FILE:fake_ggml_none>"
    PSHARD_PLUGIN_PATH="${PSHARD_PLUGIN_PATH}"
    PSHARD_LOGITS_RUN="${CMAKE_CURRENT_BINARY_DIR}/logits_run"
    PSHARD_LOAD_BACKENDS="${CMAKE_CURRENT_BINARY_DIR}/libload_backends.so"
    PSHARD_KEEP_BUFFERS="${CMAKE_CURRENT_BINARY_DIR}/libkeep_buffers.so")

add_dependencies(test_backend ${door_hosts} llama-pshard-plan-params llama-pshard-run)
foreach(program test_backend test_backend_slow test_backend_threads)
    if(TARGET ${program})
        target_link_libraries(${program} PRIVATE pshard_backend_harness)
        add_dependencies(${program} logits_run cpu_layouts load_backends keep_buffers)
        foreach(backend pshard_plugin_library ggml-simgpu)
            if(TARGET ${backend})
                add_dependencies(${program} ${backend})
            endif()
        endforeach()
    endif()
endforeach()
