#include "explain/assets.h"

// The files' bytes, between two symbols each.
#define PSHARD_EMBED(name, file)                   \
    __asm__(                                       \
        ".section .rodata\n"                       \
        ".global pshard_" #name                    \
        "_begin\n"                                 \
        ".global pshard_" #name                    \
        "_end\n"                                   \
        "pshard_" #name "_begin:\n.incbin \"" file \
        "\"\n"                                     \
        "pshard_" #name                            \
        "_end:\n.byte 0\n"                         \
        ".previous\n");                            \
    extern "C" const char pshard_##name##_begin[]; \
    extern "C" const char pshard_##name##_end[]

PSHARD_EMBED(page, PSHARD_PAGE_FILE);
PSHARD_EMBED(charts, PSHARD_CHARTS_FILE);

namespace pshard::tool {

std::string_view page_template() {
    return {pshard_page_begin, static_cast<std::size_t>(pshard_page_end - pshard_page_begin)};
}

std::string_view chart_library() {
    return {pshard_charts_begin, static_cast<std::size_t>(pshard_charts_end - pshard_charts_begin)};
}

}  // namespace pshard::tool
