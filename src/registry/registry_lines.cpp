#include "registry/registry_lines.h"

#include <array>

#include "registry/value_text.h"

namespace pshard {
namespace {

struct KindStart {
    std::string_view start;
    LineKind kind;
};

// The first that fits. Brackets are looked for behind leading blanks too: an indented header is a
// damaged one, not a line to pass over.
constexpr std::array kHeaderStarts = {KindStart{"[fingerprint", LineKind::Section},
                                      KindStart{"[variant", LineKind::Variant},
                                      KindStart{"[tier", LineKind::Tier},
                                      KindStart{"[", LineKind::Unknown}};
constexpr std::array kLineStarts = {KindStart{"# n_ctx=", LineKind::Settings},
                                    KindStart{"# pshard ", LineKind::Pshard},
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

// What is between `before` and `after`; nullopt if the line has another form.
std::optional<std::string_view> inside(std::string_view line,
                                       std::string_view before,
                                       std::string_view after) {
    if (line.size() < before.size() + after.size()) return std::nullopt;
    if (!line.starts_with(before) || !line.ends_with(after)) return std::nullopt;
    return line.substr(before.size(), line.size() - before.size() - after.size());
}

}  // namespace

std::vector<RegistryLine> registry_lines(std::string_view text) {
    std::vector<RegistryLine> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
        const std::string_view raw = text.substr(begin, end - begin);
        std::string_view line = raw;
        if (line.ends_with('\n')) line.remove_suffix(1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back({kind_of(line), line, raw, static_cast<int>(lines.size()) + 1});
        begin = end;
    }
    return lines;
}

std::optional<std::string> not_a_registry(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return "it holds binary data";
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
    const auto hash = inside(line, "[fingerprint=", "]");
    return hash ? hash_of(*hash) : std::nullopt;
}

std::optional<VariantHeader> parse_variant_header(std::string_view line) {
    constexpr std::string_view kBetween = " cache_ubatch=";
    const auto values = inside(line, "[variant budget=", "]");
    if (!values) return std::nullopt;
    const std::size_t between = values->find(kBetween);
    const auto budget = ValueText<std::uint32_t>::read(values->substr(0, between));
    if (!budget) return std::nullopt;
    if (between == std::string_view::npos) return VariantHeader{*budget, 0};
    const auto ubatch = ValueText<std::uint32_t>::read(values->substr(between + kBetween.size()));
    if (!ubatch) return std::nullopt;
    return VariantHeader{*budget, *ubatch};
}

std::optional<TierHeader> parse_tier_header(std::string_view line) {
    constexpr std::string_view kBetween = " bs=";
    constexpr std::string_view kNotViable = " not_viable";
    TierHeader header;
    if (line.ends_with(kNotViable)) {
        header.viable = false;
        line.remove_suffix(kNotViable.size());
    }
    const auto values = inside(line, "[tier ", "]");
    if (!values) return std::nullopt;
    const std::size_t between = values->find(kBetween);
    if (between == std::string_view::npos) return std::nullopt;
    const auto index = ValueText<int>::read(values->substr(0, between));
    const auto bs = ValueText<std::uint32_t>::read(values->substr(between + kBetween.size()));
    if (!index || *index < 0 || !bs) return std::nullopt;
    header.index = *index;
    header.bs = *bs;
    return header;
}

}  // namespace pshard
