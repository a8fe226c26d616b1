# The page of llama-pshard-explain's report and its chart library, Apache ECharts, which is fetched
# by scripts/get-echarts into PSHARD_DEPS_DIR: never vendored. Both are built into the program.
# Where the library cannot be fetched the program is built without it, and refuses --html.

set(_pshard_echarts "${PSHARD_DEPS_DIR}/echarts-5.6.0")
execute_process(COMMAND "${PROJECT_SOURCE_DIR}/scripts/get-echarts" "${_pshard_echarts}"
                RESULT_VARIABLE _pshard_failed)
set(PSHARD_CHARTS_FILE "${_pshard_echarts}/dist/echarts.min.js")
install(FILES "${_pshard_echarts}/LICENSE" "${_pshard_echarts}/NOTICE"
        DESTINATION share/doc/pshard/echarts OPTIONAL)  # it is in the program
if(_pshard_failed)
    message(WARNING "The chart library could not be fetched (see above): "
                    "llama-pshard-explain is built without --html.")
    set(PSHARD_CHARTS_FILE "${PROJECT_BINARY_DIR}/no-charts.js")
    file(WRITE "${PSHARD_CHARTS_FILE}" "")
endif()

set(PSHARD_PAGE_FILE "${PROJECT_SOURCE_DIR}/tools/explain/page/report.html")
set_source_files_properties("${PROJECT_SOURCE_DIR}/tools/explain/assets.cpp" PROPERTIES
    COMPILE_DEFINITIONS
        "PSHARD_PAGE_FILE=\"${PSHARD_PAGE_FILE}\";PSHARD_CHARTS_FILE=\"${PSHARD_CHARTS_FILE}\""
    OBJECT_DEPENDS "${PSHARD_PAGE_FILE};${PSHARD_CHARTS_FILE}")
