// read_registry: the meaning of the blocks.
#include "registry/registry_blocks.h"
#include "registry/registry_fields.h"
#include "registry/registry_text.h"

namespace pshard {
namespace {

constexpr std::string_view kPshardStart = "# pshard ";

// A pshard line in its parts: "# pshard", the level, the pairs.
struct PshardLine {
    std::string_view level;
    std::string_view pairs;
    int column = 1;  // of pairs[0]
};

PshardLine pshard_line(std::string_view line) {
    const std::string_view rest = line.substr(kPshardStart.size());
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    return {rest.substr(0, end), rest.substr(end), static_cast<int>(kPshardStart.size() + end) + 1};
}

class Warnings {
public:
    explicit Warnings(const std::string& file) : file_(file) {}

    void add(const RegistryLine& line, int column, std::string message) {
        list.push_back({std::move(message), place(line, column)});
    }

    void add(std::vector<Error> errors) {
        for (Error& error : errors) list.push_back(std::move(error));
    }

    void add(const RegistryLine& line, const PairsReading& pairs) {
        for (const PairsReading::Fault& fault : pairs.faults) list.push_back(fault.error);
        for (const Token& token : pairs.unknown) {
            add(line, token.column, fmt::format("'{}' is not known here; not used", token.text));
        }
    }

    [[nodiscard]] Place place(const RegistryLine& line, int column) const {
        return {file_, line.number, column};
    }

    std::vector<Error> list;

private:
    const std::string& file_;
};

// A line that the published reader passes over too, but that nobody wrote on purpose.
void warn_of_stray(const RegistryLine& line, Warnings& warnings) {
    if (line.text.starts_with('#')) return;
    warnings.add(line,
                 1,
                 "expected a header, strategy=, ot=, pshard_disabled= or a comment; the "
                 "line is not used");
}

// The lines of one variant, from its header on. A line out of its order may be the body of a tier
// whose header was lost: from there on nothing is used up to the next tier.
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
        if (state_ == State::WantsStrategy || state_ == State::WantsOverrides) {
            warnings_.add(tier_line_,
                          1,
                          "expected a strategy and an ot line below; the tier is not "
                          "viable");
            spoil();
        }
        state_ = State::Lost;
    }

private:
    enum class State { NoTier, WantsStrategy, WantsOverrides, TierDone, Lost };

    RegistryTier& tier() { return variant_.tiers.back(); }

    void read_tier_header(const RegistryLine& line) {
        finish();
        tier_line_ = line;
        const std::optional<TierHeader> header = parse_tier_header(line.text);
        if (!header) {
            return warnings_.add(line,
                                 1,
                                 "expected [tier INDEX bs=TOKENS], with ' not_viable' or "
                                 "nothing behind; the lines of this tier are not used");
        }
        if (variant_.baseline_vram_mib) {
            return warnings_.add(line,
                                 1,
                                 "expected no tiers in a disabled variant; the lines of "
                                 "this tier are not used");
        }
        variant_.tiers.push_back({.index = header->index,
                                  .key = {header->bs},
                                  .viable = header->viable,
                                  .choice = {},
                                  .ot = {},
                                  .pshard = {}});
        state_ = header->viable ? State::WantsStrategy : State::TierDone;
    }

    void read_strategy(const RegistryLine& line) {
        if (state_ != State::WantsStrategy) {
            return lose(line, "expected strategy= only as the first line of a viable tier");
        }
        const PairsReading pairs =
            read_pairs<RegistryTier>(line.text, warnings_.place(line, 1), kStrategyFields, tier());
        warnings_.add(line, pairs);
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
        Result<std::vector<OverrideItem>> items = parse_ot(line.text.substr(3));
        if (!items.ok()) {
            warnings_.add(line,
                          items.error().place.column + 3,
                          items.error().message + "; the tier is not viable");
            return lose();
        }
        tier().ot = std::move(items).value();
        state_ = State::TierDone;
    }

    void read_disabled(const RegistryLine& line) {
        DisabledLine disabled;
        const PairsReading pairs = read_pairs<DisabledLine>(
            line.text, warnings_.place(line, 1), kDisabledFields, disabled);
        warnings_.add(line, pairs);
        if (state_ != State::NoTier || variant_.baseline_vram_mib || !disabled.disabled ||
            pairs.seen.size() != kDisabledFields.size()) {
            return lose(line,
                        "expected pshard_disabled=1 baseline_vram=MIB once, in a variant "
                        "without tiers");
        }
        variant_.baseline_vram_mib = disabled.baseline_vram_mib;
    }

    void read_pshard_line(const RegistryLine& line) {
        const PshardLine pshard = pshard_line(line.text);
        const Place place = warnings_.place(line, pshard.column);
        if (pshard.level == "variant" && state_ == State::NoTier) {
            warnings_.add(read_pshard(pshard.pairs, place, variant_.pshard));
        } else if (pshard.level == "tier" && state_ == State::TierDone) {
            warnings_.add(read_pshard(pshard.pairs, place, tier().pshard));
        } else if (state_ != State::Lost) {
            warnings_.add(line,
                          1,
                          "expected '# pshard variant' above the tiers and '# pshard tier' "
                          "at the end of a tier; the line is not used");
        }
    }

    void lose(const RegistryLine& line, const char* expected) {
        if (state_ != State::Lost) warnings_.add(line, 1, expected);
        lose();
    }

    void lose() {
        if (state_ == State::WantsStrategy || state_ == State::WantsOverrides) spoil();
        state_ = State::Lost;
    }

    void spoil() {
        const RegistryTier bad = tier();
        tier() = {.index = bad.index,
                  .key = bad.key,
                  .viable = false,
                  .damaged = true,
                  .choice = {},
                  .ot = {},
                  .pshard = {}};
    }

    RegistryVariant& variant_;
    Warnings& warnings_;
    RegistryLine tier_line_;
    State state_ = State::NoTier;
};

RegistryVariant read_variant(const VariantBlock& block, Warnings& warnings) {
    RegistryVariant variant;
    variant.budget_mib = block.header->budget_mib;
    variant.cache_ubatch = block.header->cache_ubatch;
    VariantReader reader(variant, warnings);
    for (const RegistryLine& line : block.lines) reader.read(line);
    reader.finish();
    return variant;
}

void read_settings(const RegistryLine& line, RegistrySection& section, Warnings& warnings) {
    SectionSettings settings;
    const PairsReading pairs = read_pairs<SectionSettings>(
        line.text.substr(2), warnings.place(line, 3), kSettingsFields, settings);
    warnings.add(line, pairs);
    if (pairs.seen.size() == kSettingsFields.size() && !section.settings) {
        section.settings = settings;
    } else {
        warnings.add(line,
                     1,
                     "expected n_ctx, n_seq_max, n_threads, fa, type_k, type_v and "
                     "strategy, once in a section; the line is not used");
    }
}

void read_section_line(const RegistryLine& line, RegistrySection& section, Warnings& warnings) {
    switch (line.kind) {
        case LineKind::Settings:
            return read_settings(line, section, warnings);
        case LineKind::Pshard: {
            const PshardLine pshard = pshard_line(line.text);
            if (pshard.level != "section") return;
            return warnings.add(
                read_pshard(pshard.pairs, warnings.place(line, pshard.column), section.pshard));
        }
        case LineKind::Section:
        case LineKind::Blank:
            return;
        default:
            return warn_of_stray(line, warnings);
    }
}

RegistrySection read_section(const SectionBlock& block, Warnings& warnings) {
    RegistrySection section;
    section.fingerprint = *block.fingerprint;
    for (const RegistryLine& line : block.lines) read_section_line(line, section, warnings);
    for (const VariantBlock& variant : block.variants) {
        if (variant.header) section.variants.push_back(read_variant(variant, warnings));
    }
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
    RegistryBlocks blocks = registry_blocks(text, file);
    Warnings warnings(file);
    RegistryReading reading;
    for (const RegistryLine& line : blocks.lines) {
        if (line.kind != LineKind::Blank) warn_of_stray(line, warnings);
    }
    for (const SectionBlock& section : blocks.sections) {
        if (section.fingerprint) {
            reading.registry.sections.push_back(read_section(section, warnings));
        }
    }
    warnings.add(std::move(blocks.warnings));
    std::ranges::sort(warnings.list, {}, [](const Error& warning) {
        return std::pair(warning.place.line, warning.place.column);
    });
    reading.warnings = std::move(warnings.list);
    return reading;
}

}  // namespace pshard
