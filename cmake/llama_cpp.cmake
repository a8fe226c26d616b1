# llama.cpp, a pinned dependency: never vendored, never patched.
#
# Source:  PSHARD_LLAMA_CPP_SOURCE when set, else fetched by scripts/get-llama-cpp.
# Build:   by scripts/build-llama-cpp, at configure time, into PSHARD_DEPS_DIR; one build for all
#          our build folders, found again by its stamp. So `ninja` on our tree never enters it.
#
#   pshard::llama          libllama, include/, ggml/include/
#   pshard::ggml           libggml: the registry and loader of backends
#   pshard::ggml_base      libggml-base: tensors, graphs, backends, gguf
#   pshard::ggml_internal  headers only: ggml/src and src (ggml-backend-impl.h, llama-ext.h)
#   PSHARD_LLAMA_BIN_DIR   folder of the libraries, ggml's loadable backends and the programs; the
#                          build folder has a link to it, llama
#
# To move the pin, change the four values below, the tag in scripts/get-llama-cpp and the changelog.

set(PSHARD_LLAMA_VERSION 0.5.0)
set(PSHARD_GGML_VERSION 0.25.1)
set(PSHARD_GGML_BACKEND_API 2)
set(PSHARD_LLAMA_TAG v${PSHARD_LLAMA_VERSION})

# Reads `set(<prefix>_VERSION_{MAJOR,MINOR,PATCH} N)` out of a CMakeLists.txt, as "a.b.c".
# Empty when the file is not there or does not say.
function(_pshard_read_version file prefix result)
    set(version "")
    if(EXISTS "${file}")
        file(STRINGS "${file}" lines REGEX "^set\\(${prefix}_VERSION_(MAJOR|MINOR|PATCH) ")
        foreach(part MAJOR MINOR PATCH)
            if(lines MATCHES "${prefix}_VERSION_${part} ([0-9]+)")
                list(APPEND version ${CMAKE_MATCH_1})
            endif()
        endforeach()
    endif()
    list(JOIN version "." version)
    set(${result} "${version}" PARENT_SCOPE)
endfunction()

# Stops the configuration unless `source` is the release we are written against. A release tarball
# has no git history and a bundle has a rewritten one, so the versions in the tree decide.
function(_pshard_check_llama_version source)
    _pshard_read_version("${source}/CMakeLists.txt" LLAMA llama)
    _pshard_read_version("${source}/ggml/CMakeLists.txt" GGML ggml)
    set(api "")
    set(api_header "${source}/ggml/src/ggml-backend-impl.h")
    if(EXISTS "${api_header}")
        file(STRINGS "${api_header}" line REGEX "define GGML_BACKEND_API_VERSION [0-9]+")
        string(REGEX REPLACE ".*GGML_BACKEND_API_VERSION ([0-9]+).*" "\\1" api "${line}")
    endif()

    set(found "llama.cpp '${llama}', ggml '${ggml}', backend API '${api}'")
    set(wanted "llama.cpp '${PSHARD_LLAMA_VERSION}', ggml '${PSHARD_GGML_VERSION}', ")
    string(APPEND wanted "backend API '${PSHARD_GGML_BACKEND_API}'")
    if(NOT found STREQUAL wanted)
        message(FATAL_ERROR
            "pshard ${PROJECT_VERSION} builds against llama.cpp ${PSHARD_LLAMA_TAG} and no other.\n"
            "  found:  ${found}\n"
            "  wanted: ${wanted}\n"
            "  in:     ${source}\n"
            "Check out the tag ${PSHARD_LLAMA_TAG} there, or name another tree with\n"
            "  -DPSHARD_LLAMA_CPP_SOURCE=PATH\n"
            "or leave that variable empty to have the release fetched:\n"
            "  -DPSHARD_LLAMA_CPP_SOURCE=\n")
    endif()
    message(STATUS "llama.cpp ${llama}, ggml ${ggml}: ${source}")
endfunction()

# Says how the given tree differs from its commit, if it has one and differs: it should not.
function(_pshard_warn_if_patched source)
    if(NOT EXISTS "${source}/.git")
        return()
    endif()
    execute_process(COMMAND git -C "${source}" status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(changed)
        message(WARNING "llama.cpp is patched in ${source}:\n${changed}\n"
                        "pshard is written for, and tested with, the release as it is.")
    endif()
endfunction()

# Sets PSHARD_LLAMA_SOURCE_DIR: the given tree, or the fetched one.
function(_pshard_find_llama_source)
    if(PSHARD_LLAMA_CPP_SOURCE)
        get_filename_component(source "${PSHARD_LLAMA_CPP_SOURCE}" ABSOLUTE)
    else()
        set(source "${PSHARD_DEPS_DIR}/llama.cpp-${PSHARD_LLAMA_TAG}")
        execute_process(COMMAND "${PROJECT_SOURCE_DIR}/scripts/get-llama-cpp" "${source}"
                        RESULT_VARIABLE failed)
        if(failed)
            message(FATAL_ERROR "llama.cpp ${PSHARD_LLAMA_TAG} could not be fetched (see above). "
                                "Name a source tree with -DPSHARD_LLAMA_CPP_SOURCE=PATH.")
        endif()
    endif()
    set(PSHARD_LLAMA_SOURCE_DIR "${source}" PARENT_SCOPE)
endfunction()

# Sets PSHARD_LLAMA_BUILD_DIR and builds what is missing there. The folder is named by what decides
# its content: the options, which the build script holds, and a given source.
function(_pshard_build_llama)
    set(script "${PROJECT_SOURCE_DIR}/scripts/build-llama-cpp")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${script}")
    execute_process(COMMAND "${script}" --options OUTPUT_VARIABLE options)
    string(SHA256 hash "${options}${PSHARD_LLAMA_CPP_SOURCE}")
    string(SUBSTRING "${hash}" 0 10 hash)
    set(build "${PSHARD_DEPS_DIR}/llama.cpp-${PSHARD_LLAMA_TAG}-build-${hash}")

    set(parts libraries)
    if(PSHARD_LLAMA_TOOLS)
        list(APPEND parts programs)
    endif()
    foreach(part IN LISTS parts)
        execute_process(COMMAND "${script}" "${PSHARD_LLAMA_SOURCE_DIR}" "${build}" ${part}
                        RESULT_VARIABLE failed)
        if(failed)
            message(FATAL_ERROR "llama.cpp did not build (see above), in ${build}")
        endif()
    endforeach()
    set(PSHARD_LLAMA_BUILD_DIR "${build}" PARENT_SCOPE)
endfunction()

_pshard_find_llama_source()
_pshard_check_llama_version("${PSHARD_LLAMA_SOURCE_DIR}")
_pshard_warn_if_patched("${PSHARD_LLAMA_SOURCE_DIR}")
_pshard_build_llama()
set(PSHARD_LLAMA_BIN_DIR "${PSHARD_LLAMA_BUILD_DIR}/bin")
file(CREATE_LINK "${PSHARD_LLAMA_BIN_DIR}" "${PROJECT_BINARY_DIR}/llama" SYMBOLIC)

# Include folders of imported targets are SYSTEM: no warning of ours reaches into them.
add_library(pshard::ggml_base SHARED IMPORTED)
set_target_properties(pshard::ggml_base PROPERTIES
    IMPORTED_LOCATION "${PSHARD_LLAMA_BIN_DIR}/libggml-base.so"
    INTERFACE_INCLUDE_DIRECTORIES "${PSHARD_LLAMA_SOURCE_DIR}/ggml/include"
    INTERFACE_COMPILE_DEFINITIONS "GGML_SHARED;GGML_BACKEND_SHARED;GGML_BACKEND_DL")

add_library(pshard::ggml SHARED IMPORTED)
set_target_properties(pshard::ggml PROPERTIES
    IMPORTED_LOCATION "${PSHARD_LLAMA_BIN_DIR}/libggml.so"
    INTERFACE_LINK_LIBRARIES pshard::ggml_base)

add_library(pshard::llama SHARED IMPORTED)
set_target_properties(pshard::llama PROPERTIES
    IMPORTED_LOCATION "${PSHARD_LLAMA_BIN_DIR}/libllama.so"
    INTERFACE_INCLUDE_DIRECTORIES "${PSHARD_LLAMA_SOURCE_DIR}/include"
    INTERFACE_COMPILE_DEFINITIONS LLAMA_SHARED
    INTERFACE_LINK_LIBRARIES pshard::ggml)

add_library(pshard::ggml_internal INTERFACE IMPORTED)
set_target_properties(pshard::ggml_internal PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES
        "${PSHARD_LLAMA_SOURCE_DIR}/ggml/src;${PSHARD_LLAMA_SOURCE_DIR}/src"
    INTERFACE_LINK_LIBRARIES pshard::ggml_base)
