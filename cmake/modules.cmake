# One library per module of src/LAYERS and testing/LAYERS, linked to what those files let it include:
#
#   pshard_<module>    static, or INTERFACE for a folder of headers alone
#   pshard_modules     INTERFACE: every module of src/ that exists, but the door
#
# The property PSHARD_MODULES of a library has the modules that it is linked with.
# PSHARD_FOREIGN has the foreign libraries that it sees.
#
# A module whose folder is not there yet is skipped. The format is told in src/LAYERS.

set(PSHARD_FOREIGN_fmt fmt::fmt)
set(PSHARD_FOREIGN_json nlohmann_json::nlohmann_json)
set(PSHARD_FOREIGN_xxhash pshard::xxhash)
set(PSHARD_FOREIGN_cli11 CLI11::CLI11)
set(PSHARD_FOREIGN_threads Threads::Threads)
set(PSHARD_FOREIGN_ggml pshard::ggml pshard::ggml_base pshard::ggml_internal)
set(PSHARD_FOREIGN_llama pshard::llama pshard::ggml_internal)

# Sets `result` to the lines of ROOT/LAYERS, each as "name|modules|foreign libraries", names of one part
# with blanks between them.
function(pshard_read_layers root result)
    set(file "${PROJECT_SOURCE_DIR}/${root}/LAYERS")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(STRINGS "${file}" lines REGEX "^[^#]")
    set(layers "")
    foreach(line IN LISTS lines)
        if(line MATCHES "^([a-z_]+):([a-z_/ ]*)(\\|([a-z0-9_ ]*))?(#.*)?$")
            list(APPEND layers "${CMAKE_MATCH_1}|${CMAKE_MATCH_2}|${CMAKE_MATCH_4}")
        elseif(NOT line MATCHES "^ *(#.*)?$")
            message(FATAL_ERROR "${root}/LAYERS: cannot read the line '${line}'")
        endif()
    endforeach()
    set(${result} "${layers}" PARENT_SCOPE)
endfunction()

# Adds the library of one module of the folder `root`. `layer` is a line of pshard_read_layers().
function(pshard_add_module root layer)
    string(REPLACE "|" ";" layer "${layer}")
    list(GET layer 0 module)
    list(GET layer 1 modules)
    list(GET layer 2 foreign)
    file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${root}/${module}/*.cpp")
    file(GLOB headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${root}/${module}/*.h")
    if(NOT sources AND NOT headers)
        return()
    endif()

    set(target pshard_${module})
    if(sources)
        add_library(${target} STATIC ${sources} ${headers})
        target_link_libraries(${target} PRIVATE pshard_warnings)
        set(scope PUBLIC)
    else()
        add_library(${target} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(${target} ${scope} "${PROJECT_SOURCE_DIR}/${root}")
    target_link_libraries(${target} ${scope} ${PSHARD_FOREIGN_fmt})

    separate_arguments(modules UNIX_COMMAND "${modules}")
    set(linked ${modules})
    foreach(other IN LISTS modules)
        if(TARGET pshard_${other})
            target_link_libraries(${target} ${scope} pshard_${other})
            get_target_property(below pshard_${other} PSHARD_MODULES)
            list(APPEND linked ${below})
        endif()
    endforeach()
    list(REMOVE_DUPLICATES linked)
    set_property(TARGET ${target} PROPERTY PSHARD_MODULES "${linked}")

    separate_arguments(foreign UNIX_COMMAND "${foreign}")
    set_property(TARGET ${target} PROPERTY PSHARD_FOREIGN "${foreign}")
    foreach(name IN LISTS foreign)
        if(NOT DEFINED PSHARD_FOREIGN_${name})
            message(FATAL_ERROR "${root}/LAYERS: ${module}: unknown foreign library '${name}'")
        endif()
        target_link_libraries(${target} ${scope} ${PSHARD_FOREIGN_${name}})
    endforeach()
    message(STATUS "module ${module}: may include [${modules}], sees [${foreign}]")
endfunction()

add_library(pshard_modules INTERFACE)
pshard_read_layers(src _pshard_layers)
foreach(layer IN LISTS _pshard_layers)
    pshard_add_module(src "${layer}")
    string(REGEX REPLACE "[|].*" "" module "${layer}")
    # The door defines what each backend library defines for ggml, so it goes into its own alone.
    if(TARGET pshard_${module} AND NOT module STREQUAL "door")
        target_link_libraries(pshard_modules INTERFACE pshard_${module})
    endif()
endforeach()

pshard_read_layers(testing _pshard_layers)
foreach(layer IN LISTS _pshard_layers)
    pshard_add_module(testing "${layer}")
endforeach()

# The layer check: a step of every build, redone when a file changed that it looks at.
if(PSHARD_CHECK_LAYERS)
    file(GLOB_RECURSE _pshard_checked CONFIGURE_DEPENDS
         "${PROJECT_SOURCE_DIR}/src/*" "${PROJECT_SOURCE_DIR}/testing/*" "${PROJECT_SOURCE_DIR}/tools/*.cpp"
         "${PROJECT_SOURCE_DIR}/tools/*.h" "${PROJECT_SOURCE_DIR}/tests/*.cpp"
         "${PROJECT_SOURCE_DIR}/tests/*.h" "${PROJECT_SOURCE_DIR}/bench/*.cpp")
    add_custom_command(
        OUTPUT "${PROJECT_BINARY_DIR}/layers.stamp"
        COMMAND "${PROJECT_SOURCE_DIR}/scripts/check-layers" --quiet "${PROJECT_SOURCE_DIR}"
        COMMAND "${CMAKE_COMMAND}" -E touch "${PROJECT_BINARY_DIR}/layers.stamp"
        DEPENDS ${_pshard_checked} "${PROJECT_SOURCE_DIR}/tools/LAYERS"
                "${PROJECT_SOURCE_DIR}/scripts/check-layers"
        COMMENT "Checking the layers of src, testing and tools"
        VERBATIM)
    add_custom_target(check_layers ALL DEPENDS "${PROJECT_BINARY_DIR}/layers.stamp")
endif()
