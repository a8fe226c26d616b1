# Warnings of our own code; what comes from elsewhere is included as SYSTEM and stays silent.

option(PSHARD_WERROR "Treat warnings in our code as errors" ON)

add_library(pshard_warnings INTERFACE)
target_compile_options(pshard_warnings INTERFACE
    -Wall -Wextra -Wconversion -Wshadow -Wpedantic $<$<BOOL:${PSHARD_WERROR}>:-Werror>)
