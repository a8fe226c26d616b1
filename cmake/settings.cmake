# Language, build type, compiler cache, linker and sanitizers of our own code.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # the modules go into libggml-pshard.so too

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

# ccache keeps files that read a precompiled header only if it is told so.
find_program(PSHARD_CCACHE ccache)
if(PSHARD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${PSHARD_CCACHE}")
endif()

# The fastest linker that is there: sixty programs are linked.
find_program(PSHARD_MOLD mold)
mark_as_advanced(PSHARD_MOLD)
if(PSHARD_MOLD)
    add_link_options(-fuse-ld=mold)
endif()

# Sanitizers, e.g. "address,undefined". llama.cpp is built without them: it is not ours to check,
# and an uninstrumented shared library beside instrumented programs is fine with both.
set(PSHARD_SANITIZE "" CACHE STRING "Value of -fsanitize= for our own code")
if(PSHARD_SANITIZE)
    add_compile_options(-fsanitize=${PSHARD_SANITIZE} -fno-sanitize-recover=all
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${PSHARD_SANITIZE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # GCC's flow warnings misfire on instrumented code; the plain presets keep them.
        add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow)
    endif()
endif()
