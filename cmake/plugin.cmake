# The backend that llama.cpp loads, two libraries in one folder:
#
#   libggml-pshard.so        the door (src/door), which GGML_BACKEND_PATH names
#   libggml-pshard-core.so   src/plugin with all that it needs linked in
#
# Neither names a library of ggml's or llama.cpp's (no NEEDED entry): the door finds the host's own,
# whatever their file names, before it opens the core.

set(PSHARD_PLUGIN_PATH "${PSHARD_TOOL_DIR}/libggml-pshard.so")

add_library(pshard_core_library MODULE $<TARGET_OBJECTS:pshard_plugin>)
set_target_properties(pshard_core_library PROPERTIES
    LINKER_LANGUAGE CXX PREFIX "lib" OUTPUT_NAME "ggml-pshard-core"
    LIBRARY_OUTPUT_DIRECTORY "${PSHARD_TOOL_DIR}")
set(_pshard_archives "")
get_target_property(_pshard_modules pshard_plugin PSHARD_MODULES)
foreach(module IN LISTS _pshard_modules)
    get_target_property(_pshard_below pshard_${module} PSHARD_MODULES)
    list(APPEND _pshard_modules ${_pshard_below})
endforeach()
list(REMOVE_DUPLICATES _pshard_modules)
foreach(module IN LISTS _pshard_modules)
    if(TARGET pshard_${module})
        get_target_property(_pshard_type pshard_${module} TYPE)
        if(_pshard_type STREQUAL "STATIC_LIBRARY")
            list(APPEND _pshard_archives $<TARGET_FILE:pshard_${module}>)
            add_dependencies(pshard_core_library pshard_${module})
        endif()
    endif()
endforeach()
target_link_libraries(pshard_core_library PRIVATE
    -Wl,--start-group ${_pshard_archives} -Wl,--end-group
    -Wl,--exclude-libs,ALL fmt::fmt pshard::xxhash Threads::Threads)

add_library(pshard_plugin_library MODULE $<TARGET_OBJECTS:pshard_door>)
set_target_properties(pshard_plugin_library PROPERTIES
    LINKER_LANGUAGE CXX PREFIX "lib" OUTPUT_NAME "ggml-pshard"
    LIBRARY_OUTPUT_DIRECTORY "${PSHARD_TOOL_DIR}")
target_link_libraries(pshard_plugin_library PRIVATE ${CMAKE_DL_LIBS})
add_dependencies(pshard_plugin_library pshard_core_library)
target_compile_definitions(pshard_door PRIVATE
    PSHARD_GGML_VERSION="${PSHARD_GGML_VERSION}" PSHARD_LLAMA_VERSION="${PSHARD_LLAMA_VERSION}")

# The launcher hands it to llama.cpp's programs.
add_dependencies(llama-pshard-run pshard_plugin_library)
