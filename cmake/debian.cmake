# Libraries that Debian 12 packages. A missing one is reported together with all the others.

find_package(Threads REQUIRED)

set(_pshard_missing "")

# Finds one config package, or notes the Debian package that would bring it.
macro(_pshard_need name debian_package)
    find_package(${name} CONFIG QUIET)
    if(NOT ${name}_FOUND)
        list(APPEND _pshard_missing ${debian_package})
    endif()
endmacro()

_pshard_need(fmt libfmt-dev)
_pshard_need(nlohmann_json nlohmann-json3-dev)
_pshard_need(CLI11 libcli11-dev)
if(PSHARD_BUILD_TESTS)
    _pshard_need(GTest "libgtest-dev libgmock-dev")
endif()
if(PSHARD_BUILD_BENCH)
    _pshard_need(benchmark libbenchmark-dev)
endif()

# xxHash ships no CMake config in Debian.
find_path(PSHARD_XXHASH_INCLUDE xxhash.h)
find_library(PSHARD_XXHASH_LIBRARY xxhash)
mark_as_advanced(PSHARD_XXHASH_INCLUDE PSHARD_XXHASH_LIBRARY)
if(NOT PSHARD_XXHASH_INCLUDE OR NOT PSHARD_XXHASH_LIBRARY)
    list(APPEND _pshard_missing libxxhash-dev)
endif()

if(_pshard_missing)
    list(JOIN _pshard_missing " " _pshard_missing)
    message(FATAL_ERROR "Libraries are missing. On Debian 12, run\n"
                        "    scripts/setup\n"
                        "or, by hand,\n"
                        "    apt-get install ${_pshard_missing}\n")
endif()

add_library(pshard::xxhash UNKNOWN IMPORTED)
set_target_properties(pshard::xxhash PROPERTIES
    IMPORTED_LOCATION "${PSHARD_XXHASH_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${PSHARD_XXHASH_INCLUDE}")
