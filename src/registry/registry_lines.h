// The lines of a registry file, each with its kind. Every byte of the text is in exactly one line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fingerprint.h"
#include "base/text.h"

namespace pshard {

inline constexpr std::string_view kPshardStart = "# pshard ";  // each pshard line begins so
inline constexpr std::string_view kFirstLine = "# Generated file. Edit at your own risk.";

enum class LineKind {
    Blank,
    Section,    // "[fingerprint...", damaged or not
    Variant,    // "[variant...", damaged or not
    Tier,       // "[tier...", damaged or not
    Unknown,    // another line that begins with '[': a damaged header of an unknown level
    Settings,   // "# n_ctx=..."
    Pshard,     // "# pshard ..."
    Strategy,   // "strategy=..."
    Overrides,  // "ot=..."
    Disabled,   // "pshard_disabled=..."
    Other,      // comments, and whatever else the published reader skips
};

struct RegistryLine : TextLine {
    LineKind kind = LineKind::Other;
};

// The lines of `text`, where blank lines one below the other are one. Their places name `file`.
std::vector<RegistryLine> registry_lines(std::string_view text, const std::string& file = "");

// Why `text` is no registry and must not be changed; nullopt if it is a registry or empty. A
// damaged registry still is one: it begins with kFirstLine, or has a section header.
std::optional<std::string> not_a_registry(std::string_view text);

// "[fingerprint=0x0123456789abcdef]"
std::optional<Hash64> parse_section_header(std::string_view line);

struct VariantHeader {
    std::uint32_t budget_mib = 0;
    std::uint32_t cache_ubatch = 0;  // 0: not told

    bool operator==(const VariantHeader&) const = default;
};

// "[variant budget=12000 cache_ubatch=8192]", "[variant budget=12000]": 1 to kMostMib, at most
// kMostTokens.
std::optional<VariantHeader> parse_variant_header(std::string_view line);

struct TierHeader {
    int index = 0;
    std::uint32_t bs = 0;
    bool viable = true;
};

// "[tier 0 bs=1]", "[tier 1 bs=16] not_viable": 1 to kMostTokens.
std::optional<TierHeader> parse_tier_header(std::string_view line);

}  // namespace pshard
