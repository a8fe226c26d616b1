// read_registry: what the blocks mean.
//
// In:   a text that may be damaged anywhere.
// Out:  the plans that can be believed, and a warning for each line that is not used.
//
// The lines are first laid into blocks (registry_blocks.h). A block ends at the next header of its
// level or a higher one, and a damaged header opens a block that means nothing. Then each variant
// is read line by line; the kind of a line must fit the state:
//
//   [variant budget=600 cache_ubatch=512]      NoTier
//   # pshard variant ...                         |
//   [tier 0 bs=1]                              WantsStrategy
//   strategy=... n_pinned=...                  WantsOverrides
//   ot=...                                     TierDone
//   # pshard tier ...                            |
//   [tier 1 bs=16] not_viable                  TierDone        any line out of this order: Lost
//
// The trap [A44]: a line out of order may be the body of a tier whose header was lost. From such a
// line on, nothing is used up to the next tier, and a tier that was not done is damaged. (The
// published reader lets such lines count for the header above.)
#include "registry/checksum.h"
#include "registry/pairs.h"
#include "registry/registry_blocks.h"
#include "registry/registry_fields.h"
#include "registry/registry_text.h"

namespace pshard {
namespace {

using Warnings = std::vector<Error>;

constexpr std::size_t kMostWarnings = 200;  // more than anybody reads

void add(Warnings& warnings, std::vector<Error> more) {
    std::ranges::move(more, std::back_inserter(warnings));
}

void add(Warnings& warnings, const PairsReading& pairs) {
    for (const PairsReading::Unread& fault : pairs.faults) warnings.push_back(fault.error);
    for (const PairsReading::Unread& unknown : pairs.unknown) warnings.push_back(unknown.error);
}

// Warns of a line that the published reader skips too, but that nobody wrote on purpose.
void warn_of_stray(const RegistryLine& line, Warnings& warnings) {
    if (line.text.starts_with('#')) return;
    warnings.push_back(line.error(0,
                                  "expected a header, strategy=, ot=, pshard_disabled= or a "
                                  "comment; the line is not used"));
}

// Reads the pairs of a whole line.
template <typename Record>
PairsReading read_line(const RegistryLine& line,
                       Record& record,
                       Fields<Record> fields,
                       Warnings& warnings) {
    Cursor in(line, line.kind == LineKind::Settings ? 2 : 0);
    PairsReading pairs = read_pairs(in, record, fields);
    add(warnings, pairs);
    return pairs;
}

// A pshard line: its level, and a cursor at its pairs.
struct PshardLine {
    explicit PshardLine(const RegistryLine& line) : pairs(line, kPshardStart.size()) {
        level = pairs.word();
    }

    Cursor pairs;
    std::string_view level;
};

// Reads the lines of one variant, from its header on.
class VariantReader {
public:
    VariantReader(RegistryVariant& variant, Warnings& warnings)
        : variant_(variant), warnings_(warnings) {}

    void read(const RegistryLine& line) {
        switch (line.kind) {
            case LineKind::Tier:
                return read_tier_header(line);
            case LineKind::Strategy:
                return read_strategy(line);
            case LineKind::Overrides:
                return read_overrides(line);
            case LineKind::Disabled:
                return read_disabled(line);
            case LineKind::Pshard:
                return read_pshard_line(line);
            case LineKind::Other:
                return warn_of_stray(line, warnings_);
            default:
                return;
        }
    }

    void finish() {
        if (is_open()) {
            warn(tier_line_, "expected a strategy and an ot line below; the tier is not viable");
        }
        lose();
    }

private:
    enum class State { NoTier, WantsStrategy, WantsOverrides, TierDone, Lost };

    RegistryTier& tier() { return variant_.tiers.back(); }

    [[nodiscard]] bool is_open() const {
        return state_ == State::WantsStrategy || state_ == State::WantsOverrides;
    }

    void warn(const RegistryLine& line, std::string message) {
        warnings_.push_back(line.error(0, std::move(message)));
    }

    void read_tier_header(const RegistryLine& line) {
        finish();
        tier_line_ = line;
        const std::optional<TierHeader> header = parse_tier_header(line.text);
        if (!header) {
            return warn(line,
                        fmt::format("expected [tier INDEX bs=TOKENS], from 1 to {} tokens, with ' "
                                    "not_viable' or nothing behind; the lines of this tier are not "
                                    "used",
                                    kMostTokens));
        }
        if (variant_.baseline_vram_mib) {
            return warn(line,
                        "expected no tiers in a disabled variant; the lines of this tier are not "
                        "used");
        }
        const bool ascends = is_next(header->bs);
        RegistryTier& tier = variant_.tiers.emplace_back();
        tier.index = header->index;
        tier.key = {header->bs};
        tier.viable = header->viable && ascends;
        tier.damaged = !ascends;
        if (!ascends) {
            return warn(line,
                        "expected more tokens than the tier above has, and at most as many as "
                        "cache_ubatch; the plans of this variant are not used");
        }
        state_ = header->viable ? State::WantsStrategy : State::TierDone;
    }

    // Whether a tier of `bs` tokens may follow the tiers that were read.
    [[nodiscard]] bool is_next(std::uint32_t bs) const {
        const bool more = variant_.tiers.empty() || bs > variant_.tiers.back().key.n_tokens;
        return more && (variant_.cache_ubatch == 0 || bs <= variant_.cache_ubatch);
    }

    void read_strategy(const RegistryLine& line) {
        if (state_ != State::WantsStrategy) {
            return lose(line, "expected strategy= only as the first line of a viable tier");
        }
        const PairsReading pairs = read_line(line, tier(), kStrategyFields, warnings_);
        state_ = State::WantsOverrides;
        if (pairs.faults.empty() && has_all_but_rates(pairs)) return;
        lose(line,
             "expected strategy, n_pinned, n_attn_pinned, overflow, output_on_gpu and "
             "pin_from_back, each once; the tier is not viable");
    }

    static bool has_all_but_rates(const PairsReading& pairs) {
        return std::ranges::all_of(kStrategyFields, [&](const Field<RegistryTier>& field) {
            return field.key == "tps" || field.key == "vram" ||
                   std::ranges::find(pairs.seen, field.key) != pairs.seen.end();
        });
    }

    void read_overrides(const RegistryLine& line) {
        if (state_ != State::WantsOverrides) {
            return lose(line, "expected ot= only as the line after strategy=");
        }
        constexpr std::size_t kBegin = 3;  // behind "ot="
        Result<std::vector<OverrideItem>> items = parse_ot(line.text.substr(kBegin));
        if (!items.ok()) {
            const auto at = static_cast<std::size_t>(items.error().place.column) - 1;
            warnings_.push_back(
                line.error(kBegin + at, items.error().message + "; the tier is not viable"));
            return lose();
        }
        tier().ot = std::move(items).value();
        state_ = State::TierDone;
    }

    void read_disabled(const RegistryLine& line) {
        DisabledLine disabled;
        const PairsReading pairs = read_line(line, disabled, kDisabledFields, warnings_);
        if (state_ != State::NoTier || variant_.baseline_vram_mib || !disabled.disabled ||
            pairs.seen.size() != kDisabledFields.size()) {
            return lose(line,
                        "expected pshard_disabled=1 baseline_vram=MIB once, in a variant "
                        "without tiers");
        }
        variant_.baseline_vram_mib = disabled.baseline_vram_mib;
    }

    void read_pshard_line(const RegistryLine& line) {
        PshardLine pshard(line);
        if (pshard.level == "variant" && state_ == State::NoTier) {
            add(warnings_, read_pshard(pshard.pairs, variant_.pshard));
        } else if (pshard.level == "tier" && state_ == State::TierDone) {
            add(warnings_, read_pshard(pshard.pairs, tier().pshard));
        } else if (state_ != State::Lost) {
            warn(line,
                 "expected '# pshard variant' above the tiers and '# pshard tier' at the end of a "
                 "tier; the line is not used");
        }
    }

    void lose(const RegistryLine& line, const char* expected) {
        if (state_ != State::Lost) warn(line, expected);
        lose();
    }

    // Uses nothing more up to the next tier. A tier that was not done keeps nothing but its header.
    void lose() {
        if (is_open()) {
            RegistryTier damaged;
            damaged.index = tier().index;
            damaged.key = tier().key;
            damaged.damaged = true;
            tier() = std::move(damaged);
        }
        state_ = State::Lost;
    }

    RegistryVariant& variant_;
    Warnings& warnings_;
    RegistryLine tier_line_;
    State state_ = State::NoTier;
};

// Compares the lines with the checksum among them, if there is one.
void check_sum(const VariantBlock& block,
               Hash64 section,
               RegistryVariant& variant,
               Warnings& warnings) {
    const RegistryLine* checksum = wrong_checksum(section, block.lines);
    if (checksum == nullptr) return;
    variant.altered = checksum->place;
    const auto header = std::ranges::find(block.lines, LineKind::Variant, &RegistryLine::kind);
    warnings.push_back(header->error(
        0,
        fmt::format("this plan was changed after it was written, as its checksum in line {} tells, "
                    "so it is not used: plan again, or delete line {} if the change is yours",
                    checksum->place.line,
                    checksum->place.line)));
}

RegistryVariant read_variant(const VariantBlock& block, Hash64 section, Warnings& warnings) {
    RegistryVariant variant;
    variant.budget_mib = block.header->budget_mib;
    variant.cache_ubatch = block.header->cache_ubatch;
    VariantReader reader(variant, warnings);
    for (const RegistryLine& line : block.lines) reader.read(line);
    reader.finish();
    check_sum(block, section, variant, warnings);
    return variant;
}

void read_settings(const RegistryLine& line, RegistrySection& section, Warnings& warnings) {
    SectionSettings settings;
    const PairsReading pairs = read_line(line, settings, kSettingsFields, warnings);
    if (pairs.seen.size() == kSettingsFields.size() && !section.settings) {
        section.settings = settings;
    } else {
        warnings.push_back(line.error(0,
                                      "expected n_ctx, n_seq_max, n_threads, fa, type_k, type_v "
                                      "and strategy, once in a section; the line is not used"));
    }
}

void read_section_pshard(const RegistryLine& line, RegistrySection& section, Warnings& warnings) {
    PshardLine pshard(line);
    if (pshard.level == "section") return add(warnings, read_pshard(pshard.pairs, section.pshard));
    warnings.push_back(
        line.error(0, "expected '# pshard section' above the variants; the line is not used"));
}

void read_section_line(const RegistryLine& line, RegistrySection& section, Warnings& warnings) {
    switch (line.kind) {
        case LineKind::Settings:
            return read_settings(line, section, warnings);
        case LineKind::Pshard:
            return read_section_pshard(line, section, warnings);
        case LineKind::Section:
        case LineKind::Blank:
            return;
        default:
            return warn_of_stray(line, warnings);
    }
}

// Holds the comments of a section that we have written against its fingerprint, which they explain.
void check_settings(const SectionBlock& block, RegistrySection& section, Warnings& warnings) {
    const bool is_ours = std::ranges::any_of(section.variants, [](const RegistryVariant& variant) {
        return variant.pshard.checksum.has_value();
    });
    const std::optional<Bytes> file_bytes = section.pshard.file_bytes;
    const bool is_told = section.settings && file_bytes;
    const bool is_right =
        is_told && section.fingerprint == published_fingerprint(*section.settings, *file_bytes);
    if (is_told ? is_right : !is_ours) return;
    section.settings.reset();
    const auto header = std::ranges::find(block.lines, LineKind::Section, &RegistryLine::kind);
    warnings.push_back(header->error(0,
                                     "expected below the settings and file_bytes that this "
                                     "fingerprint was made of; those below are not used"));
}

RegistrySection read_section(const SectionBlock& block, Warnings& warnings) {
    RegistrySection section;
    section.fingerprint = *block.fingerprint;
    for (const RegistryLine& line : block.lines) read_section_line(line, section, warnings);
    for (const VariantBlock& variant : block.variants) {
        if (!variant.header) continue;
        section.variants.push_back(read_variant(variant, section.fingerprint, warnings));
    }
    check_settings(block, section, warnings);
    return section;
}

}  // namespace

Result<RegistryReading> read_registry(std::string_view text, const std::string& file) {
    if (const std::optional<std::string> reason = not_a_registry(text)) {
        return Error{fmt::format("this is not a registry: {}; delete it, or name another "
                                 "(--registry, for a run PSHARD_REGISTRY)",
                                 *reason),
                     {file}};
    }
    const RegistryBlocks blocks = registry_blocks(text, file);
    RegistryReading reading;
    reading.warnings = blocks.warnings;
    for (const RegistryLine& line : blocks.lines) {
        if (line.kind != LineKind::Blank) warn_of_stray(line, reading.warnings);
    }
    for (const SectionBlock& section : blocks.sections) {
        if (!section.fingerprint) continue;
        reading.registry.sections.push_back(read_section(section, reading.warnings));
    }
    std::ranges::stable_sort(reading.warnings, {}, [](const Error& warning) {
        return std::pair(warning.place.line, warning.place.column);
    });
    if (reading.warnings.size() > kMostWarnings) {
        const std::size_t n_more = reading.warnings.size() - kMostWarnings;
        reading.warnings.resize(kMostWarnings);
        reading.warnings.push_back(
            {fmt::format("{} of such lines are not told one by one", n_more), {file}});
    }
    return reading;
}

}  // namespace pshard
