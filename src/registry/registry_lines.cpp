#include "registry/registry_lines.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "registry/registry.h"

namespace pshard {
namespace {

// Ten sections of eighty variants have half as many. A line takes forty times the memory of its
// least text.
constexpr std::ptrdiff_t kMostLines = 300'000;

struct KindStart {
    std::string_view start;
    LineKind kind;
};

// How lines begin; the first row that fits gives the kind. A bracket counts behind leading blanks
// too: an indented header is a damaged header, not a line to skip.
constexpr std::array kHeaderStarts = {KindStart{"[fingerprint", LineKind::Section},
                                      KindStart{"[variant", LineKind::Variant},
                                      KindStart{"[tier", LineKind::Tier},
                                      KindStart{"[", LineKind::Unknown}};
constexpr std::array kLineStarts = {KindStart{"# n_ctx=", LineKind::Settings},
                                    KindStart{kPshardStart, LineKind::Pshard},
                                    KindStart{"strategy=", LineKind::Strategy},
                                    KindStart{"ot=", LineKind::Overrides},
                                    KindStart{"pshard_disabled=", LineKind::Disabled}};

LineKind kind_of(std::string_view line) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return LineKind::Blank;
    for (const auto& [start, kind] : kHeaderStarts) {
        if (line.substr(begin).starts_with(start)) return kind;
    }
    for (const auto& [start, kind] : kLineStarts) {
        if (line.starts_with(start)) return kind;
    }
    return LineKind::Other;
}

bool take(std::string_view& text, std::string_view wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(wanted.size());
    return true;
}

bool take(std::string_view& text, std::uint32_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

// Whether the line consists of these parts and nothing else. A part is a text, or a variable that
// receives a number.
template <typename... Parts>
bool is_form(std::string_view line, Parts&&... parts) {
    return (take(line, parts) && ...) && line.empty();
}

}  // namespace

std::vector<RegistryLine> registry_lines(std::string_view text, const std::string& file) {
    std::vector<RegistryLine> lines;
    for (TextLine line : lines_of(text, file)) {
        const LineKind kind = kind_of(line.text);
        const bool goes_on =
            kind == LineKind::Blank && !lines.empty() && lines.back().kind == LineKind::Blank;
        if (goes_on) {
            std::string_view& raw = lines.back().raw;
            raw = {raw.data(), raw.size() + line.raw.size()};
        } else {
            lines.push_back({std::move(line), kind});
        }
    }
    return lines;
}

std::optional<std::string> not_a_registry(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return "it holds binary data";
    if (std::ranges::count(text, '\n') > kMostLines) {
        return fmt::format("it has more than {} lines", kMostLines);
    }
    if (kFirstLine.starts_with(text) || text.starts_with(kFirstLine)) return std::nullopt;
    bool blank = true;
    for (const RegistryLine& line : registry_lines(text)) {
        if (line.kind == LineKind::Section) return std::nullopt;
        blank = blank && line.kind == LineKind::Blank;
    }
    if (blank) return std::nullopt;
    return fmt::format("it neither begins with '{}' nor has a [fingerprint=...] line", kFirstLine);
}

std::optional<Hash64> parse_section_header(std::string_view line) {
    if (!take(line, "[fingerprint=") || !line.ends_with(']')) return std::nullopt;
    line.remove_suffix(1);
    return hash_of(line);
}

std::optional<VariantHeader> parse_variant_header(std::string_view line) {
    VariantHeader header;
    const bool is_good =
        is_form(line, "[variant budget=", header.budget_mib, "]") || is_form(line,
                                                                             "[variant budget=",
                                                                             header.budget_mib,
                                                                             " cache_ubatch=",
                                                                             header.cache_ubatch,
                                                                             "]");
    const bool in_range = header.budget_mib > 0 && header.budget_mib <= kMostMib &&
                          header.cache_ubatch <= kMostTokens;
    return is_good && in_range ? std::optional(header) : std::nullopt;
}

std::optional<TierHeader> parse_tier_header(std::string_view line) {
    TierHeader header;
    std::uint32_t index = 0;
    header.viable = is_form(line, "[tier ", index, " bs=", header.bs, "]");
    if (!header.viable && !is_form(line, "[tier ", index, " bs=", header.bs, "] not_viable")) {
        return std::nullopt;
    }
    header.index = static_cast<int>(index);
    const bool in_range = header.index >= 0 && header.bs > 0 && header.bs <= kMostTokens;
    return in_range ? std::optional(header) : std::nullopt;
}

}  // namespace pshard
