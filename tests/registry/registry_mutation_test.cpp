// Random damage with fixed seeds: no crash, no byte lost, no plan that stood nowhere.
#include <random>

#include "registry/goldens.h"
#include "registry/registry_blocks.h"
#include "registry/registry_merge.h"
#include "registry/registry_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

// A golden with short override lists, and two sections of ours: all kinds of lines in little text,
// so that each is hit often.
std::string small_golden(const test::Golden& golden) {
    const std::string text = test::golden_text(golden);
    std::string small;
    for (const RegistryLine& line : registry_lines(text)) {
        small += line.text.substr(0, 300);
        if (line.kind == LineKind::Overrides) {
            small.resize(std::min(small.size(), small.rfind(',')));
        }
        small += "\n";
    }
    small += to_text(test::toy_section(2048, 600));
    RegistrySection added = test::toy_section(4096, 600);
    added.variants.push_back(test::full_variant());
    return small + to_text(added);
}

// One to four faults: a byte changed, bytes left out, a line repeated elsewhere, the end cut off.
std::string damaged(std::string text, std::mt19937& random) {
    const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
    for (std::size_t n_faults = 1 + below(4); n_faults > 0; --n_faults) {
        const std::size_t at = below(text.size());
        switch (below(8)) {
            case 0:
                text.erase(at, 1 + below(40));
                break;
            case 1:
                text.insert(below(text.size()), text.substr(at, below(200)));
                break;
            case 2:
                text.resize(at);
                break;
            case 3:
                text.insert(at, "\n");
                break;
            default:
                if (!text.empty()) text[at] = char(1 + below(255));
        }
    }
    return text;
}

struct Plan {
    TierHeader header;
    std::vector<OverrideItem> ot;
};

// Where a tier, a strategy and an override line follow each other, with nothing but other lines
// between.
std::vector<Plan> plans_in(std::string_view text) {
    std::vector<Plan> plans;
    std::vector<RegistryLine> body;
    for (const RegistryLine& line : registry_lines(text)) {
        if (line.kind == LineKind::Tier) body.clear();
        if (line.kind != LineKind::Other && line.kind != LineKind::Blank) body.push_back(line);
        if (body.size() != 3 || body[0].kind != LineKind::Tier) continue;
        const std::optional<TierHeader> header = parse_tier_header(body[0].text);
        if (!header || body[1].kind != LineKind::Strategy) continue;
        if (line.kind != LineKind::Overrides) continue;
        const auto ot = parse_ot(line.text.substr(3));
        if (ot.ok()) plans.push_back({*header, ot.value()});
    }
    return plans;
}

bool stands_in(const std::vector<Plan>& plans, const RegistryTier& tier) {
    return std::ranges::any_of(plans, [&](const Plan& plan) {
        return plan.header.index == tier.index && plan.header.bs == tier.key.n_tokens &&
               plan.header.viable && plan.ot == tier.ot;
    });
}

// Every plan that was read stands in the text under its own header.
void expect_plans_from(const Registry& registry, std::string_view text) {
    const std::vector<Plan> plans = plans_in(text);
    for (const RegistrySection& section : registry.sections) {
        for (const RegistryVariant& variant : section.variants) {
            for (const RegistryTier& tier : variant.tiers) {
                EXPECT_TRUE(!tier.viable || stands_in(plans, tier)) << "bs=" << tier.key.n_tokens;
            }
        }
    }
}

std::string with_last_line_end(std::string text) {
    return text.empty() || text.ends_with('\n') ? text : text + "\n";
}

// A save into a damaged file keeps all foreign bytes and is read back.
void expect_mergeable(const std::string& text) {
    const RegistrySection added = test::toy_section(8192, 600);
    const std::string merged = merged_registry(text, added);
    EXPECT_TRUE(merged.ends_with(to_text(added)));
    const std::string kept = merged.substr(0, merged.size() - to_text(added).size());
    if (kFirstLine.starts_with(text)) return;
    if (registry_blocks(text, "").sections.size() < kMaxSections) {
        EXPECT_EQ(kept, with_last_line_end(text));
    }
    const auto reading = test::value_of(read_registry(merged, "f"));
    const RegistrySection* section = test::find_section(reading.registry, added.fingerprint);
    ASSERT_NE(section, nullptr);
    EXPECT_EQ(*section, added);
}

TEST(RegistryMutation, LosesNothingAndNeverCrashes) {
    constexpr int kCasesEach = 2000;
    std::mt19937 random(20250422);
    int n_refused = 0;
    for (const test::Golden& golden : test::kGoldens) {
        const std::string good = small_golden(golden);
        for (int i = 0; i < kCasesEach; ++i) {
            const std::string text = damaged(good, random);
            ASSERT_EQ(text_of(registry_blocks(text, "f")), text);
            const auto reading = read_registry(text, "f");
            n_refused += reading.ok() ? 0 : 1;
            if (!reading.ok()) continue;
            expect_plans_from(reading.value().registry, text);
            const std::string again = to_text(reading.value().registry);
            const auto second = test::value_of(read_registry(again, "f"));
            expect_mergeable(text);
            ASSERT_FALSE(HasFailure()) << "case " << i << " of " << golden.name << ":\n" << text;
        }
    }
    EXPECT_LT(n_refused, kCasesEach / 10);
}

// Truncation at every byte of the first lines, and bytes of zero anywhere.
TEST(RegistryMutation, TruncationIsAlwaysReadable) {
    const std::string good = small_golden(test::kGoldens[0]);
    for (std::size_t size = 0; size <= good.size(); ++size) {
        const auto reading = test::value_of(read_registry(good.substr(0, size), "f"));
        ASSERT_EQ(text_of(registry_blocks(good.substr(0, size), "f")), good.substr(0, size));
    }
}

}  // namespace
}  // namespace pshard
