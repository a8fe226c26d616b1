// Reads a change of the machine, and makes the profile of a machine with another link.
//
// In: "link=32GB/s,vram=15500", or a profile and a rate. Out: a WhatIf, or the changed profile.
//
// Nobody has measured the link that is asked about, so every rate of the profile is scaled by what
// the link's own rate changes by (factor = new / old), as far as the host lets it:
//
//   rate                                      scaled by
//   page-locked copies, both ways, slices     factor
//   copies beside a busy GPU or each other    factor
//   pageable copies                           min(1, factor): the host's memory copy bounds them
//   copies beside a busy CPU                  factor, or min(1, factor) if they were held up
//
// Copies count as held up by the CPU where they reached less than 95 % of the rate alone: then the
// host's memory was full, and a faster link would bring nothing.
//
// Traps: a profile without any rate of its link stays as it is. A key that comes twice is an error,
// as each --what-if is one machine. Profiles of another GPU or CPU are only named here; whoever
// asks reads the files (tools/explain/changes.cpp).
#include "explain/what_if.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include <fmt/format.h>

namespace pshard {
namespace {

constexpr double kMostGbPerSecond = 100'000;
constexpr double kMostMib = 1e8;
constexpr int kMostThreads = 4096;

struct Quantity {
    double value = 0;
    std::string_view unit;
};

std::optional<Quantity> quantity_of(std::string_view text) {
    Quantity quantity;
    const char* end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data(), end, quantity.value);
    if (error != std::errc{} || !std::isfinite(quantity.value)) return std::nullopt;
    quantity.unit = {last, static_cast<std::size_t>(end - last)};
    return quantity;
}

Error expected(std::string_view part, std::string_view what) {
    return {fmt::format("--what-if: '{}': expected {}", part, what), {}};
}

Status read_link(std::string_view part, std::string_view value, WhatIf& change) {
    const auto rate = quantity_of(value);
    const bool good = rate && (rate->unit.empty() || rate->unit == "GB/s") && rate->value > 0 &&
                      rate->value <= kMostGbPerSecond;
    if (!good) return expected(part, "a rate above 0 and up to 100000 GB/s, such as link=32GB/s");
    change.link_gb_per_s = rate->value;
    return Done{};
}

Status read_vram(std::string_view part, std::string_view value, WhatIf& change) {
    const auto size = quantity_of(value);
    const bool gib = size && size->unit == "GiB";
    const bool mib = size && (size->unit.empty() || size->unit == "MiB");
    const double in_mib = size ? size->value * (gib ? 1024 : 1) : 0;
    if ((!gib && !mib) || in_mib < 1 || in_mib > kMostMib) {
        return expected(part, "1 to 100000000 MiB of VRAM, such as vram=15500 or vram=15GiB");
    }
    change.vram_mib = static_cast<std::uint64_t>(in_mib);
    return Done{};
}

Status read_threads(std::string_view part, std::string_view value, WhatIf& change) {
    const auto count = quantity_of(value);
    const bool good = count && count->unit.empty() && count->value >= 1 &&
                      count->value <= kMostThreads && count->value == std::floor(count->value);
    if (!good) return expected(part, "1 to 4096 threads, such as threads=8");
    change.n_threads = static_cast<int>(count->value);
    return Done{};
}

Status read_file(std::string_view part, std::string_view value, std::string& file) {
    if (value.empty()) return expected(part, "the name of a profile");
    file = value;
    return Done{};
}

Status read_part(std::string_view part, WhatIf& change) {
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view key = part.substr(0, equals);
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    if (key == "gpu") return read_file(part, value, change.gpu_profile);
    if (key == "cpu") return read_file(part, value, change.cpu_profile);
    if (key == "link") return read_link(part, value, change);
    if (key == "vram") return read_vram(part, value, change);
    if (key == "threads") return read_threads(part, value, change);
    return expected(part, "gpu=FILE, cpu=FILE, link=RATE, vram=MIB or threads=N");
}

void scale(std::optional<double>& rate, double factor) {
    if (rate) *rate *= factor;
}

void scale_copies(LinkProfile& link, double factor) {
    for (CopyPoint& point : link.copies) {
        const bool pageable = point.source == CopySource::Pageable;
        const double by = pageable ? std::min(1.0, factor) : factor;
        point.h2d_gb_per_s *= by;
        scale(point.d2h_gb_per_s, by);
    }
    for (SlicePoint& point : link.sliced) point.gb_per_s *= factor;
}

}  // namespace

Result<WhatIf> what_if_from_text(const std::string& text) {
    WhatIf change;
    change.text = text;
    std::string_view rest = text;
    std::set<std::string_view> keys;
    for (;;) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const std::string_view part = rest.substr(0, comma);
        if (const Status read = read_part(part, change); !read) return read.error();
        if (!keys.insert(part.substr(0, part.find('='))).second) {
            return Error{fmt::format("--what-if: '{}' is there twice in '{}'; give one --what-if "
                                     "for each machine",
                                     part.substr(0, part.find('=')),
                                     text),
                         {}};
        }
        if (comma == rest.size()) return change;
        rest.remove_prefix(comma + 1);
    }
}

std::optional<double> link_gb_per_s(const MachineProfile& profile) {
    const LinkProfile& link = profile.link;
    return link.standalone_gb_per_s ? link.standalone_gb_per_s : link.pageable_gb_per_s;
}

MachineProfile with_link(MachineProfile profile, double gb_per_s) {
    const std::optional<double> before = link_gb_per_s(profile);
    if (!before) return profile;
    LinkProfile& link = profile.link;
    const double factor = gb_per_s / *before;
    // What is slower than alone was held up by the host's memory, which stays.
    const bool held_up = link.concurrent_gb_per_s && *link.concurrent_gb_per_s < 0.95 * *before;
    scale(link.concurrent_gb_per_s, held_up ? std::min(1.0, factor) : factor);
    scale(link.pageable_gb_per_s, std::min(1.0, factor));
    for (auto* rate : {&link.standalone_gb_per_s,
                       &link.d2h_gb_per_s,
                       &link.registered_gb_per_s,
                       &link.duplex_gb_per_s,
                       &link.under_gpu_gb_per_s}) {
        scale(*rate, factor);
    }
    scale_copies(link, factor);
    return profile;
}

}  // namespace pshard
