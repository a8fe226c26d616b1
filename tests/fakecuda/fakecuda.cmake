# tests/fakecuda -> libcudart.so.13, libcublas.so.13, libcuda.so.1 under <build>/tests/fakecuda, and beside
# them, where it was fetched, a link to ggml's prebuilt CUDA backend: it looks for them in its own folder.
#
# No sanitizer is in them, as they go into programs of llama.cpp.

set(PSHARD_FAKECUDA_DIR "${CMAKE_CURRENT_BINARY_DIR}/fakecuda")
file(GLOB fakecuda_sources CONFIGURE_DEPENDS fakecuda/*.cpp)
list(FILTER fakecuda_sources EXCLUDE REGEX "(_test|/driver|/cublas|/pool_run|/host_(run|cells))\\.cpp$")
add_library(fakecuda_parts OBJECT ${fakecuda_sources} simgpu/checker.cpp simgpu/segment_map.cpp)
target_include_directories(fakecuda_parts PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(fakecuda_parts PRIVATE pshard_warnings pshard::xxhash)

# Adds libNAME.so.VERSION, whose symbols have the versions of fakecuda/libNAME.map.
function(pshard_fake_library name version)
    add_library(fake_${name} SHARED ${ARGN})
    target_link_libraries(fake_${name} PRIVATE pshard_warnings)
    target_include_directories(fake_${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_options(fake_${name} PRIVATE
        "-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/fakecuda/lib${name}.map")
    set_target_properties(fake_${name} PROPERTIES
        OUTPUT_NAME ${name} SOVERSION ${version} BUILD_RPATH "$ORIGIN"
        LIBRARY_OUTPUT_DIRECTORY "${PSHARD_FAKECUDA_DIR}")
endfunction()

pshard_fake_library(cudart 13 $<TARGET_OBJECTS:fakecuda_parts>)
pshard_fake_library(cublas 13 fakecuda/cublas.cpp)
pshard_fake_library(cuda 1 fakecuda/driver.cpp)
target_link_libraries(fake_cublas PRIVATE fake_cudart)
target_link_libraries(fake_cuda PRIVATE fake_cudart)
add_custom_target(fakecuda DEPENDS fake_cudart fake_cublas fake_cuda)
if(PSHARD_SANITIZE)
    foreach(target fakecuda_parts fake_cudart fake_cublas fake_cuda)
        target_compile_options(${target} PRIVATE -fno-sanitize=all)
        target_link_options(${target} PRIVATE -fno-sanitize=all)
    endforeach()
endif()

set(PSHARD_FAKECUDA_BACKEND "")
if(PSHARD_CUDA_BACKEND)
    set(PSHARD_FAKECUDA_BACKEND "${PSHARD_FAKECUDA_DIR}/libggml-cuda.so")
    file(MAKE_DIRECTORY "${PSHARD_FAKECUDA_DIR}")
    file(CREATE_LINK "${PSHARD_CUDA_BACKEND}" "${PSHARD_FAKECUDA_BACKEND}" SYMBOLIC)
    file(CREATE_LINK "${PSHARD_LLAMA_BIN_DIR}/libggml-base.so" "${PSHARD_FAKECUDA_DIR}/libggml-base.so" SYMBOLIC)
endif()
list(APPEND definitions
    PSHARD_FAKECUDA_BACKEND="${PSHARD_FAKECUDA_BACKEND}"
    PSHARD_HOST_RUN="${CMAKE_CURRENT_BINARY_DIR}/host_run"
    PSHARD_POOL_RUN="${CMAKE_CURRENT_BINARY_DIR}/pool_run")

# The programs that run llama.cpp over the fake, after those of tests/backend are known.
function(pshard_link_fakecuda_tests)
    add_executable(host_run "${CMAKE_CURRENT_SOURCE_DIR}/fakecuda/host_run.cpp")
    target_link_libraries(host_run PRIVATE pshard_warnings pshard_backend_harness ${CMAKE_DL_LIBS})
    add_executable(pool_run "${CMAKE_CURRENT_SOURCE_DIR}/fakecuda/pool_run.cpp")
    target_include_directories(pool_run PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(pool_run PRIVATE pshard_warnings pshard_ops pshard_ggml_kit pshard::ggml ${CMAKE_DL_LIBS})
    add_library(fakecuda_cells STATIC "${CMAKE_CURRENT_SOURCE_DIR}/fakecuda/host_cells.cpp")
    target_link_libraries(fakecuda_cells PUBLIC pshard_backend_harness PRIVATE pshard_warnings)
    foreach(program test_fakecuda test_fakecuda_slow)
        if(TARGET ${program})
            target_link_libraries(${program} PRIVATE fakecuda_cells)
            add_dependencies(${program} host_run pool_run)
            if(TARGET pshard_plugin_library)
                add_dependencies(${program} pshard_plugin_library)
            endif()
        endif()
    endforeach()
    target_link_libraries(test_fakecuda PRIVATE fakecuda_parts)
    target_sources(test_fakecuda PRIVATE fakecuda/driver.cpp)
endfunction()
