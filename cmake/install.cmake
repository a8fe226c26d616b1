# cmake --install, and a Debian package of the same by cpack -G DEB.
#
#   bin/                  the programs
#   lib/pshard/           libggml-pshard.so, for GGML_BACKEND_PATH; and llama.cpp's libraries, which the
#                         programs bring along: the planner and the profilers need this release
#   lib/libpshard.a       the planner as a library: all modules that see no ggml
#   include/pshard/       its headers
#   lib/cmake/pshard/     find_package(pshard): pshard::pshard, PSHARD_PLUGIN
#   lib/pkgconfig/        pkg-config pshard
#   share/man/man1, share/bash-completion/completions, share/zsh/vendor-completions: from --help
#
# Nothing names the folder that it is installed into: it may be moved as a whole.

# The modules that see no ggml, in one archive.
set(PSHARD_LIBRARY_MODULES "")
set(_pshard_objects "")
get_target_property(_pshard_targets pshard_modules INTERFACE_LINK_LIBRARIES)
foreach(target IN LISTS _pshard_targets)
    get_target_property(_pshard_foreign ${target} PSHARD_FOREIGN)
    if("ggml" IN_LIST _pshard_foreign OR "llama" IN_LIST _pshard_foreign)
        continue()
    endif()
    string(REPLACE "pshard_" "" module ${target})
    list(APPEND PSHARD_LIBRARY_MODULES ${module})
    get_target_property(_pshard_type pshard_${module} TYPE)
    if(_pshard_type STREQUAL "STATIC_LIBRARY")
        list(APPEND _pshard_objects $<TARGET_OBJECTS:pshard_${module}>)
    endif()
endforeach()
add_library(pshard STATIC ${_pshard_objects})
set_target_properties(pshard PROPERTIES LINKER_LANGUAGE CXX)
target_compile_features(pshard INTERFACE cxx_std_20)
target_include_directories(pshard INTERFACE $<INSTALL_INTERFACE:include/pshard>)
target_link_libraries(pshard INTERFACE fmt::fmt xxhash Threads::Threads)

install(TARGETS pshard EXPORT pshard-targets ARCHIVE DESTINATION lib)
foreach(module IN LISTS PSHARD_LIBRARY_MODULES)
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/${module}" DESTINATION include/pshard
            FILES_MATCHING PATTERN "*.h")
endforeach()

# Programs and libraries find each other by where they lie.
set_target_properties(${PSHARD_TOOLS} PROPERTIES INSTALL_RPATH "$ORIGIN/${PSHARD_LIBRARY_FOLDER}")
install(TARGETS ${PSHARD_TOOLS} RUNTIME DESTINATION bin)
foreach(library pshard_plugin_library pshard_core_library)
    if(TARGET ${library})
        install(TARGETS ${library} LIBRARY DESTINATION lib/pshard)
    endif()
endforeach()
foreach(library llama ggml ggml-base)  # under the names that the programs ask for
    file(REAL_PATH "${PSHARD_LLAMA_BIN_DIR}/lib${library}.so" _pshard_real)
    install(FILES "${_pshard_real}" DESTINATION lib/pshard RENAME lib${library}.so.0)
endforeach()
install(FILES "${PSHARD_LLAMA_BIN_DIR}/libggml-cpu.so" DESTINATION lib/pshard)

# find_package and pkg-config.
include(CMakePackageConfigHelpers)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/pshard-config.cmake.in"
    "${PROJECT_BINARY_DIR}/pshard-config.cmake" INSTALL_DESTINATION lib/cmake/pshard)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/pshard-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/pshard-config.cmake"
              "${PROJECT_BINARY_DIR}/pshard-config-version.cmake" DESTINATION lib/cmake/pshard)
install(EXPORT pshard-targets NAMESPACE pshard:: DESTINATION lib/cmake/pshard)
configure_file("${PROJECT_SOURCE_DIR}/cmake/pshard.pc.in" "${PROJECT_BINARY_DIR}/pshard.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/pshard.pc" DESTINATION lib/pkgconfig)

# Pages and completions are what --help says.
set(_pshard_pages "${PROJECT_BINARY_DIR}/pages")
set(_pshard_made "")
foreach(program IN LISTS PSHARD_TOOLS)
    set(_pshard_made_here "${_pshard_pages}/${program}.1" "${_pshard_pages}/${program}.bash"
                          "${_pshard_pages}/_${program}")
    add_custom_command(
        OUTPUT ${_pshard_made_here}
        COMMAND "${PROJECT_SOURCE_DIR}/scripts/make-pages" "$<TARGET_FILE:${program}>"
                "${PROJECT_VERSION}" "${_pshard_pages}"
        DEPENDS ${program} "${PROJECT_SOURCE_DIR}/scripts/make-pages"
                "${PROJECT_SOURCE_DIR}/scripts/help-to-man"
                "${PROJECT_SOURCE_DIR}/scripts/help-to-completion"
        COMMENT "Writing the page of ${program}"
        VERBATIM)
    list(APPEND _pshard_made ${_pshard_made_here})
    install(FILES "${_pshard_pages}/${program}.1" DESTINATION share/man/man1)
    install(FILES "${_pshard_pages}/${program}.bash" RENAME ${program}
            DESTINATION share/bash-completion/completions)
    install(FILES "${_pshard_pages}/_${program}" DESTINATION share/zsh/vendor-completions)
endforeach()
add_custom_target(pshard_pages ALL DEPENDS ${_pshard_made})

install(FILES README.md CHANGELOG.md ARCHITECTURE.md DESTINATION share/doc/pshard)
install(FILES LICENSE DESTINATION share/doc/pshard RENAME copyright)
install(DIRECTORY docs/ DESTINATION share/doc/pshard/docs)
install(DIRECTORY profiles/reference DESTINATION share/pshard/profiles)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pshard)
set(CPACK_PACKAGE_CONTACT "the pshard developers <pshard@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PSHARD_LLAMA_BIN_DIR}")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libfmt-dev, libxxhash-dev")  # for lib/libpshard.a
include(CPack)
