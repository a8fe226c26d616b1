// How the published loader reads the section of a fingerprint, written from what is known of it
// [S13]: line by line through a buffer of 8192 bytes, by the starts of lines, with
// its faults. An oracle for the files that we write; ours is registry/registry_reader.cpp.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pshard::test {

struct PublishedTier {
    unsigned bs = 0;
    bool viable = false;
    std::string strategy;
    unsigned n_pinned = 0;
    unsigned n_attn_pinned = 0;
    std::string overflow;
    double tps = 0;
    double vram = 0;
    bool output_on_gpu = false;
    std::vector<std::string> overrides;  // "PATTERN>LANE"

    bool operator==(const PublishedTier&) const = default;
};

struct PublishedVariant {
    unsigned budget = 0;
    unsigned cache_ubatch = 0;
    bool disabled = false;
    double baseline_vram = 0;
    std::vector<PublishedTier> tiers;

    bool operator==(const PublishedVariant&) const = default;
};

inline std::vector<std::string> split_lines(std::string_view text, std::size_t buffer_bytes) {
    std::vector<std::string> lines(1);
    for (const char c : text) {
        if (c == '\n' || lines.back().size() == buffer_bytes - 1) lines.emplace_back();
        if (c != '\n' && c != '\r') lines.back() += c;
    }
    return lines;
}

inline std::vector<std::string> published_overrides(std::string_view list) {
    std::vector<std::string> overrides;
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        const std::string_view item = list.substr(0, comma);
        const std::size_t equals = item.find('=');
        const std::size_t colon = item.rfind(':');
        if (equals != item.npos && colon != item.npos && equals < colon) {
            overrides.push_back(std::string(item.substr(0, equals)) + ">" +
                                std::string(item.substr(colon + 1)));
        }
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return overrides;
}

inline void read_published_strategy(const std::string& line, PublishedTier& tier) {
    char strategy[64] = {};
    char overflow[16] = {};
    const int n = std::sscanf(line.c_str(),
                              "strategy=%63s n_pinned=%u n_attn_pinned=%u overflow=%15s tps=%lf "
                              "vram=%lf",
                              strategy,
                              &tier.n_pinned,
                              &tier.n_attn_pinned,
                              overflow,
                              &tier.tps,
                              &tier.vram);
    tier.strategy = strategy;
    tier.overflow = overflow;
    tier.output_on_gpu = line.find("output_on_gpu=1") != line.npos;
    if (n < 4 || line.find("output_on_gpu=") == line.npos ||
        line.find("pin_from_back=") == line.npos) {
        tier.viable = false;
    }
}

inline void read_published_line(const std::string& line, std::vector<PublishedVariant>& variants) {
    unsigned index = 0;
    PublishedVariant variant;
    PublishedTier tier;
    if (std::sscanf(line.c_str(),
                    "[variant budget=%u cache_ubatch=%u]",
                    &variant.budget,
                    &variant.cache_ubatch) >= 1) {
        variants.push_back(variant);
        return;
    }
    if (variants.empty()) return;
    std::vector<PublishedTier>& tiers = variants.back().tiers;
    if (std::sscanf(line.c_str(), "[tier %u bs=%u]", &index, &tier.bs) == 2) {
        tier.viable = line.find("not_viable") == line.npos;
        tiers.push_back(tier);
    } else if (line.starts_with("pshard_disabled=1")) {
        variants.back().disabled = true;
        std::sscanf(
            line.c_str(), "pshard_disabled=1 baseline_vram=%lf", &variants.back().baseline_vram);
    } else if (line.starts_with("strategy=") && !tiers.empty()) {
        read_published_strategy(line, tiers.back());
    } else if (line.starts_with("ot=") && !tiers.empty()) {
        tiers.back().overrides = published_overrides(std::string_view(line).substr(3));
    }
}

// Which variant the published loader takes within a budget: one that says that the whole model
// fits, else one with the largest ubatch, then with the largest budget. Of several it takes the
// first, and asks for no weights. nullptr: none.
inline const PublishedVariant* taken_as_published(const std::vector<PublishedVariant>& variants,
                                                  unsigned budget) {
    const PublishedVariant* best = nullptr;
    for (const PublishedVariant& variant : variants) {
        if (variant.disabled && variant.baseline_vram <= budget) return &variant;
    }
    for (const PublishedVariant& variant : variants) {
        if (variant.disabled || variant.tiers.empty() || variant.budget > budget) continue;
        const auto rank = [](const PublishedVariant& each) {
            return std::pair(each.cache_ubatch, each.budget);
        };
        if (best == nullptr || rank(variant) > rank(*best)) best = &variant;
    }
    return best;
}

// `buffer_bytes`: 8192 as published, or more to see past that fault.
inline std::vector<PublishedVariant> read_as_published(std::string_view text,
                                                       const std::string& fingerprint,
                                                       std::size_t buffer_bytes = 8192) {
    std::vector<PublishedVariant> variants;
    bool inside = false;
    for (const std::string& line : split_lines(text, buffer_bytes)) {
        if (line.starts_with("[fingerprint=")) {
            if (inside) break;
            inside = line == "[fingerprint=" + fingerprint + "]";
        } else if (inside) {
            read_published_line(line, variants);
        }
    }
    return variants;
}

}  // namespace pshard::test
