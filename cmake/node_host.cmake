# A host that we did not build: node-llama-cpp of npm, with llama.cpp v0.5.0 prebuilt, for one test.
#
#   PSHARD_NODE        node, or empty
#   PSHARD_NODE_HOST   folder with node_modules/node-llama-cpp, or empty: the test is skipped

set(PSHARD_NODE_HOST "" CACHE PATH
    "Folder with node_modules/node-llama-cpp; empty: fetched by scripts/get-node-host")
find_program(PSHARD_NODE node)
mark_as_advanced(PSHARD_NODE)

if(NOT PSHARD_NODE_HOST AND PSHARD_BUILD_TESTS AND PSHARD_NODE_TESTS AND PSHARD_NODE)
    set(_pshard_node_host "${PSHARD_DEPS_DIR}/node-llama-cpp-3.22.1")
    execute_process(COMMAND "${PROJECT_SOURCE_DIR}/scripts/get-node-host" "${_pshard_node_host}"
                    RESULT_VARIABLE _pshard_failed)
    if(_pshard_failed)
        message(WARNING "node-llama-cpp could not be fetched (see above): the test in that host "
                        "will be skipped. Name a folder with -DPSHARD_NODE_HOST=PATH, or turn it "
                        "off with -DPSHARD_NODE_TESTS=OFF.")
    else()
        set(PSHARD_NODE_HOST "${_pshard_node_host}")
    endif()
endif()
