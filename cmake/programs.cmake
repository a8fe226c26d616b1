# Programs: tools/X.cpp becomes pshard-X, bench/X_bench.cpp becomes bench_X.

# Names that are not simply pshard-<file>: the planner keeps the name its users know.
set(PSHARD_TOOL_NAME_plan_params llama-pshard-plan-params)
set(PSHARD_TOOL_NAME_explain llama-pshard-explain)
set(PSHARD_TOOL_NAME_make_model pshard-make-model)
set(PSHARD_TOOL_NAME_profiler_cpu llama-profiler-cpu)
set(PSHARD_TOOL_NAME_profiler_gpu llama-profiler-gpu)
set(PSHARD_TOOL_NAME_run llama-pshard-run)

# Folders of tools/ that several tools share, each a library, before those that it needs itself.
set(PSHARD_TOOL_SHARED_explain planning plan_flags common)
set(PSHARD_TOOL_SHARED_plan_params planning plan_flags common)
set(PSHARD_TOOL_SHARED_run plan_flags common)
set(PSHARD_TOOL_SHARED_make_model common)
set(PSHARD_TOOL_SHARED_profiler_cpu profiler common)
set(PSHARD_TOOL_SHARED_profiler_gpu profiler common)

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

# Adds tools/<folder>/*.cpp as the library pshard_tools_<folder>, once.
function(pshard_add_shared_folder folder)
    if(TARGET pshard_tools_${folder})
        return()
    endif()
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/${folder}/*.cpp")
    add_library(pshard_tools_${folder} STATIC ${sources})
    pshard_as_tool(pshard_tools_${folder})
    target_link_libraries(pshard_tools_${folder} PRIVATE nlohmann_json::nlohmann_json)
endfunction()

# Adds tools/<file>.cpp, with the helpers in tools/<file>/*.cpp, and notes the program in
# PSHARD_TOOLS and its path in PSHARD_TOOL_PATH_<file>.
function(pshard_add_tool source)
    get_filename_component(file "${source}" NAME_WE)
    if(DEFINED PSHARD_TOOL_NAME_${file})
        set(program ${PSHARD_TOOL_NAME_${file}})
    else()
        string(REPLACE "_" "-" program "pshard-${file}")
    endif()
    file(GLOB helpers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/${file}/*.cpp")

    add_executable(${program} "${source}" ${helpers})
    pshard_as_tool(${program})
    foreach(folder IN LISTS PSHARD_TOOL_SHARED_${file})
        pshard_add_shared_folder(${folder})
        target_link_libraries(${program} PRIVATE pshard_tools_${folder})
    endforeach()
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PSHARD_TOOL_DIR}")

    set(PSHARD_TOOLS ${PSHARD_TOOLS} ${program} PARENT_SCOPE)
    set(PSHARD_TOOL_PATH_${file} "${PSHARD_TOOL_DIR}/${program}" PARENT_SCOPE)
    set(PSHARD_TOOL_FILES ${PSHARD_TOOL_FILES} ${file} PARENT_SCOPE)
endfunction()

file(GLOB _pshard_tool_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/*.cpp")
foreach(source IN LISTS _pshard_tool_sources)
    pshard_add_tool("${source}")
endforeach()

if(PSHARD_BUILD_BENCH)
    file(GLOB _pshard_bench_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*_bench.cpp")
    foreach(source IN LISTS _pshard_bench_sources)
        get_filename_component(file "${source}" NAME_WE)
        string(REGEX REPLACE "_bench$" "" file "${file}")
        add_executable(bench_${file} "${source}")
        target_link_libraries(bench_${file} PRIVATE
            pshard_warnings pshard_modules benchmark::benchmark benchmark::benchmark_main)
        target_compile_definitions(bench_${file} PRIVATE ${PSHARD_PATH_DEFINITIONS})
        set_target_properties(bench_${file} PROPERTIES
            RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
    endforeach()
endif()
