# libggml-pshard.so: the door (src/plugin) with all that it needs linked in.
#
# It names no library of ggml's or llama.cpp's (no NEEDED entry): the host's own are found when it
# is loaded, whatever their file names.

set(PSHARD_PLUGIN_PATH "${PSHARD_TOOL_DIR}/libggml-pshard.so")

add_library(pshard_plugin_library MODULE $<TARGET_OBJECTS:pshard_plugin>)
set_target_properties(pshard_plugin_library PROPERTIES
    LINKER_LANGUAGE CXX PREFIX "lib" OUTPUT_NAME "ggml-pshard"
    LIBRARY_OUTPUT_DIRECTORY "${PSHARD_TOOL_DIR}")
set(_pshard_archives "")
foreach(module base inventory capture machine plan memory cost strategy sim trace search registry
               report runtime)
    if(TARGET pshard_${module})
        get_target_property(_pshard_type pshard_${module} TYPE)
        if(_pshard_type STREQUAL "STATIC_LIBRARY")
            list(APPEND _pshard_archives $<TARGET_FILE:pshard_${module}>)
            add_dependencies(pshard_plugin_library pshard_${module})
        endif()
    endif()
endforeach()
target_link_libraries(pshard_plugin_library PRIVATE
    -Wl,--start-group ${_pshard_archives} -Wl,--end-group
    -Wl,--exclude-libs,ALL fmt::fmt pshard::xxhash Threads::Threads)
target_compile_definitions(pshard_plugin PRIVATE
    PSHARD_GGML_VERSION="${PSHARD_GGML_VERSION}" PSHARD_LLAMA_VERSION="${PSHARD_LLAMA_VERSION}")

# The launcher hands it to llama.cpp's programs.
add_dependencies(llama-pshard-run pshard_plugin_library)
