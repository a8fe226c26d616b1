#include "machine/profile_key_lines.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "machine/profile_keys.h"

namespace pshard {

namespace {

constexpr std::string_view kOurs = "# pshard ";

struct KeyLine {
    std::string_view name;
    std::size_t value_at = 0;  // in the line
};

Result<KeyLine> split(const TextLine& line) {
    const std::size_t equals = line.text.find('=');
    if (equals == std::string_view::npos) {
        return error_at(line, kOurs.size(), "expected KEY=VALUE after \"# pshard\"");
    }
    return KeyLine{line.text.substr(kOurs.size(), equals - kOurs.size()), equals + 1};
}

// Keeps the points ascending; a second one of the same key replaces the first.
template <typename Point, typename Key>
void put(std::vector<Point>& points, const Point& point, Key key) {
    const auto at = std::ranges::lower_bound(points, key(point), {}, key);
    if (at != points.end() && key(*at) == key(point)) {
        *at = point;
    } else {
        points.insert(at, point);
    }
}

void read_sliced(ColumnReader& columns, MachineProfile& profile) {
    const SlicePoint point{columns.positive("size of a slice in MB"), columns.positive("GB/s")};
    put(profile.link.sliced, point, [](const SlicePoint& p) { return p.slice_mb; });
}

void read_copy(ColumnReader& columns, MachineProfile& profile) {
    const CopyPoint point{static_cast<CopySource>(columns.choice("source", kCopySources)),
                          columns.positive("size of a copy in MB"),
                          columns.positive("GB/s to the device"),
                          columns.positive_or_end("GB/s to the host")};
    put(profile.link.copies, point, [](const CopyPoint& p) { return std::tuple(p.source, p.mb); });
}

void read_overhead(ColumnReader& columns, MachineProfile& profile) {
    const OverheadPoint point{columns.count("n_ubatch"), columns.rate("MiB")};
    if (!profile.gpu) return;
    put(profile.gpu->overhead, point, [](const OverheadPoint& p) { return p.n_ubatch; });
}

void read_concurrent_measured(ColumnReader& columns, MachineProfile& profile) {
    constexpr std::array<std::string_view, 2> kAnswers = {"0", "1"};
    profile.link.concurrent_measured = columns.choice("answer", kAnswers) == 1;
}

// Of two files the less trusted one counts.
void read_provenance(ColumnReader& columns, MachineProfile& profile) {
    const auto provenance = static_cast<Provenance>(columns.choice("provenance", kProvenances));
    profile.provenance = std::max(profile.provenance, provenance);
}

struct OwnForm {
    std::string_view name;
    void (*read)(ColumnReader&, MachineProfile&);
};

constexpr std::array kOwnForms = {
    OwnForm{kSlicedKey, read_sliced},
    OwnForm{kCopyKey, read_copy},
    OwnForm{kOverheadKey, read_overhead},
    OwnForm{kConcurrentMeasuredKey, read_concurrent_measured},
    OwnForm{kProvenanceKey, read_provenance},
};

void set_text(std::string_view name, std::string_view value, MachineProfile& profile) {
    for (const TextKey& key : text_keys()) {
        if (key.name == name && (profile.*key.field).empty()) profile.*key.field = value;
    }
}

void read_number(const NumberKey& key, ColumnReader& columns, MachineProfile& profile) {
    const double value = key.may_be_zero() ? columns.rate(key.name) : columns.positive(key.name);
    key.set(profile, value);
}

Status apply(const TextLine& line, MachineProfile& profile) {
    const auto entry = split(line);
    if (!entry) return entry.error();
    const auto& [name, value_at] = entry.value();
    const auto is_it = [&, name = name](const auto& key) { return key.name == name; };
    ColumnReader columns(line, value_at);
    const auto form = std::ranges::find_if(kOwnForms, is_it);
    const auto number = std::ranges::find_if(number_keys(), is_it);
    if (form != kOwnForms.end()) {
        form->read(columns, profile);
    } else if (number != number_keys().end()) {
        read_number(*number, columns, profile);
    } else {
        set_text(name, line.text.substr(value_at), profile);
        return Done{};
    }
    if (auto fault = columns.finish("the line")) return *fault;
    return Done{};
}

Error no_row(const TextLine& line) {
    return error_at(line, kOurs.size(), fmt::format("expected a row directly below {}", kNoisyKey));
}

}  // namespace

bool is_key_line(std::string_view text) { return text.starts_with(kOurs); }

Result<std::optional<std::int64_t>> told_rows(const std::vector<TextLine>& lines) {
    std::optional<std::int64_t> told;
    for (const TextLine& line : lines) {
        const auto entry = split(line);
        if (!entry) return entry.error();
        if (entry.value().name != kRowsKey) continue;
        ColumnReader columns(line, entry.value().value_at);
        told = columns.count(kRowsKey);
        if (auto fault = columns.finish("the line")) return *fault;
    }
    return told;
}

Status apply_key_lines(const std::vector<TextLine>& lines, MachineProfile& profile) {
    for (const TextLine& line : lines) {
        if (auto status = apply(line, profile); !status) return status.error();
    }
    return Done{};
}

Result<bool> NoiseReader::take(const TextLine& line) {
    if (line_ && line.text.starts_with('#')) return no_row(*line_);
    if (!is_key_line(line.text)) return false;
    const auto entry = split(line);
    if (!entry) return entry.error();
    if (entry.value().name != kNoisyKey) return false;
    ColumnReader columns(line, entry.value().value_at);
    percent_ = columns.positive(kNoisyKey);
    if (auto fault = columns.finish("the line")) return *fault;
    line_ = line;
    return true;
}

void NoiseReader::give(OpRow& row) {
    if (line_) row.noisy_percent = percent_;
    line_.reset();
}

Status NoiseReader::finish() const {
    if (line_) return no_row(*line_);
    return Done{};
}

}  // namespace pshard
