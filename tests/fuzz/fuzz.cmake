# fuzz_<reader>: one program of libFuzzer for each reader of readers.h; scripts/fuzz runs them. They need clang,
# and only the modules that read: of capture the files that know no llama.cpp.
#
# The same readers go over the committed seeds in test_fuzz, which any compiler builds.

target_sources(test_fuzz PRIVATE fuzz/readers.cpp)

if(PSHARD_FUZZ)
    add_library(pshard_readers STATIC fuzz/readers.cpp
        "${PROJECT_SOURCE_DIR}/src/capture/gguf_header.cpp"
        "${PROJECT_SOURCE_DIR}/src/capture/model_identity.cpp"
        "${PROJECT_SOURCE_DIR}/src/capture/slim_model.cpp")
    target_include_directories(pshard_readers PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(pshard_readers
        PUBLIC pshard_registry pshard_machine pshard_trace pshard::ggml_base PRIVATE pshard_warnings)
    foreach(reader registry profile inventory trace gguf)
        add_executable(fuzz_${reader} fuzz/libfuzzer_main.cpp)
        target_compile_definitions(fuzz_${reader} PRIVATE PSHARD_FUZZED="${reader}")
        target_link_libraries(fuzz_${reader} PRIVATE pshard_readers pshard_warnings)
        target_link_options(fuzz_${reader} PRIVATE -fsanitize=fuzzer)
        list(APPEND fuzz_targets fuzz_${reader})
    endforeach()
    add_custom_target(fuzz_targets DEPENDS ${fuzz_targets})
endif()
