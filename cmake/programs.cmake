# Programs: tools/X.cpp becomes pshard-X, bench/X_bench.cpp becomes bench_X. tools/LAYERS names the tools
# and what they share.

# Names that are not simply pshard-<file>: the planner keeps the name its users know.
set(PSHARD_TOOL_NAME_plan_params llama-pshard-plan-params)
set(PSHARD_TOOL_NAME_explain llama-pshard-explain)
set(PSHARD_TOOL_NAME_make_model pshard-make-model)
set(PSHARD_TOOL_NAME_profiler_cpu llama-profiler-cpu)
set(PSHARD_TOOL_NAME_profiler_gpu llama-profiler-gpu)
set(PSHARD_TOOL_NAME_run llama-pshard-run)

# The tools' programs all lie in one folder, as an installed package would have them.
set(PSHARD_TOOL_DIR "${PROJECT_BINARY_DIR}/bin")

# Where libggml-pshard.so lies once it is installed, as seen from the folder of the programs.
set(PSHARD_LIBRARY_FOLDER "../lib/pshard")

# Where llama.cpp's programs and ggml's loadable backends lie, for tools and tests.
set(PSHARD_PATH_DEFINITIONS
    PSHARD_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    PSHARD_LLAMA_BIN_DIR="${PSHARD_LLAMA_BIN_DIR}"
    PSHARD_TOOL_DIR="${PSHARD_TOOL_DIR}")

# Gives a target what all code of tools/ may use.
function(pshard_as_tool target)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tools")
    target_link_libraries(${target} PRIVATE pshard_warnings pshard_modules CLI11::CLI11)
    target_compile_definitions(${target} PRIVATE
        PSHARD_LLAMA_BIN_DIR="${PSHARD_LLAMA_BIN_DIR}" PSHARD_VERSION="${PROJECT_VERSION}"
        PSHARD_LLAMA_VERSION="${PSHARD_LLAMA_VERSION}"
        PSHARD_LIBRARY_FOLDER="${PSHARD_LIBRARY_FOLDER}")
endfunction()

# Links `target` to what its line of tools/LAYERS names: folders of tools/, and testing/X.
function(pshard_link_layer target scope names)
    separate_arguments(names UNIX_COMMAND "${names}")
    foreach(name IN LISTS names)
        if(name MATCHES "^testing/(.*)$")
            target_link_libraries(${target} ${scope} pshard_${CMAKE_MATCH_1})
        else()
            target_link_libraries(${target} ${scope} pshard_tools_${name})
        endif()
    endforeach()
endfunction()

# Adds tools/<folder>/*.cpp as the library pshard_tools_<folder>.
function(pshard_add_tool_folder folder names)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/${folder}/*.cpp")
    add_library(pshard_tools_${folder} STATIC ${sources})
    pshard_as_tool(pshard_tools_${folder})
    target_link_libraries(pshard_tools_${folder} PRIVATE nlohmann_json::nlohmann_json)
    pshard_link_layer(pshard_tools_${folder} PUBLIC "${names}")
endfunction()

# Adds tools/<file>.cpp, with the helpers in tools/<file>/*.cpp, and notes the program in
# PSHARD_TOOLS and its path in PSHARD_TOOL_PATH_<file>.
function(pshard_add_tool file names)
    if(DEFINED PSHARD_TOOL_NAME_${file})
        set(program ${PSHARD_TOOL_NAME_${file}})
    else()
        string(REPLACE "_" "-" program "pshard-${file}")
    endif()
    file(GLOB helpers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/${file}/*.cpp")

    add_executable(${program} "${PROJECT_SOURCE_DIR}/tools/${file}.cpp" ${helpers})
    pshard_as_tool(${program})
    pshard_link_layer(${program} PRIVATE "${names}")
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PSHARD_TOOL_DIR}")

    set(PSHARD_TOOLS ${PSHARD_TOOLS} ${program} PARENT_SCOPE)
    set(PSHARD_TOOL_PATH_${file} "${PSHARD_TOOL_DIR}/${program}" PARENT_SCOPE)
    set(PSHARD_TOOL_FILES ${PSHARD_TOOL_FILES} ${file} PARENT_SCOPE)
endfunction()

pshard_read_layers(tools _pshard_layers)
foreach(layer IN LISTS _pshard_layers)
    string(REPLACE "|" ";" layer "${layer}")
    list(GET layer 0 name)
    list(GET layer 1 names)
    if(EXISTS "${PROJECT_SOURCE_DIR}/tools/${name}.cpp")
        pshard_add_tool(${name} "${names}")
    else()
        pshard_add_tool_folder(${name} "${names}")
    endif()
endforeach()

if(PSHARD_BUILD_BENCH)
    file(GLOB _pshard_bench_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*_bench.cpp")
    foreach(source IN LISTS _pshard_bench_sources)
        get_filename_component(file "${source}" NAME_WE)
        string(REGEX REPLACE "_bench$" "" file "${file}")
        add_executable(bench_${file} "${source}")
        target_link_libraries(bench_${file} PRIVATE
            pshard_warnings pshard_modules pshard_models benchmark::benchmark benchmark::benchmark_main)
        target_compile_definitions(bench_${file} PRIVATE ${PSHARD_PATH_DEFINITIONS})
        set_target_properties(bench_${file} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
    endforeach()
endif()
