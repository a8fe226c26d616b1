// An attacker's edits: every word and number of a written registry, changed in turn. Whoever takes
// a plan says what is wrong, or does not take it; an edit that changes nothing of what is read may
// pass.
#include <set>

#include "plan/plan_hash.h"
#include "planner/registered_plan.h"
#include "planner/registry_form.h"
#include "registry/checksum.h"
#include "registry/registry_text.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

class RegistryEdits : public test::ToyPlanning {
protected:
    RegistryEdits() {
        planning_.inventory.context.n_ubatch = 4;
        search();
        const SectionSettings settings{
            .n_ctx = 32, .n_seq_max = 1, .n_threads = 8, .strategy = std::nullopt};
        RegistrySection section = make_section(settings, 1000000);
        section.variants = {to_registry_variant(planning_)};
        text_ = to_text(Registry{{sealed(section)}});
        for (Graph& graph : planning_.inventory.graphs) {
            graph = device_part(planning_.inventory, graph).value();
        }
    }

    // Whether a device or a launcher takes a plan of `text` without a word, and not the one that
    // was written.
    bool is_taken_silently(const std::string& text) const {
        const auto reading = read_registry(text, "f");
        if (!reading.ok() || !reading.value().warnings.empty()) return false;
        const Registry& registry = reading.value().registry;
        const Registry written = read_registry(text_, "f").value().registry;
        const SeenRun seen{planning_.inventory, kMiB};
        const AskedRun asked{.budget_mib = 1, .n_ctx = 32};
        for (const KnownRun& run :
             {KnownRun{{}, seen, std::nullopt}, KnownRun{{}, std::nullopt, asked}}) {
            const FoundPlans found = find_plans(registry, run);
            if (found.best.empty()) continue;
            const auto& [section, variant] = found.best.back();
            const bool is_same = section->settings == written.sections[0].settings &&
                                 *variant == written.sections[0].variants[0];
            if (!is_same && unchecked(*variant).empty()) return true;
        }
        return false;
    }

    std::string text_;
};

// Each run of letters, digits and signs that a word or a number is made of.
std::vector<std::pair<std::size_t, std::size_t>> words_of(const std::string& text) {
    constexpr std::string_view kBetween = " \n[]=,:\\";
    std::vector<std::pair<std::size_t, std::size_t>> words;
    for (std::size_t at = 0; (at = text.find_first_not_of(kBetween, at)) != text.npos;) {
        const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
        words.emplace_back(at, end - at);
        at = end;
    }
    return words;
}

// What an attacker puts in the place of a word.
std::set<std::string> edits_of(const std::string& word) {
    std::set<std::string> edits = {"",
                                   "0",
                                   "1",
                                   "7",
                                   "-1",
                                   "-2147483648",
                                   "4294967295",
                                   "18446744073709551615",
                                   "1e300",
                                   "nan",
                                   "NONE",
                                   "0x0000000000000007",
                                   word + word,
                                   word + "1",
                                   "x" + word};
    std::string next = word;
    next.back() =
        char(next.back() == '9' || next.back() == 'z' ? next.back() - 1 : next.back() + 1);
    edits.insert(next);
    edits.erase(word);
    return edits;
}

TEST_F(RegistryEdits, AreRefusedOrNoted) {
    EXPECT_FALSE(
        match_registry(read_registry(text_, "f").value().registry, planning_.inventory, kMiB)
            .choices.empty());
    std::size_t n_edits = 0;
    for (const auto& [at, size] : words_of(text_)) {
        for (const std::string& edit : edits_of(text_.substr(at, size))) {
            std::string text = text_;
            text.replace(at, size, edit);
            EXPECT_FALSE(is_taken_silently(text))
                << text_.substr(text_.rfind('\n', at) + 1, 60) << ": '" << edit << "'";
            ++n_edits;
        }
    }
    EXPECT_GT(n_edits, 1000U);
}

TEST_F(RegistryEdits, OfWholeLinesAreRefusedOrNoted) {
    const std::vector<RegistryLine> lines = registry_lines(text_);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::string without;
        std::string twice;
        std::string first;
        for (std::size_t k = 0; k < lines.size(); ++k) {
            if (k != i) without += lines[k].raw;
            twice += lines[k].raw;
            if (k == i) twice += lines[k].raw;
            first += lines[k == i && i > 0 ? k - 1 : k == i - 1 ? i : k].raw;
        }
        for (const std::string& text : {without, twice, first}) {
            EXPECT_FALSE(is_taken_silently(text)) << text;
        }
    }
}

// Without its checksum a plan is taken as it stands, as one of before; never with more layers than
// the model has.
TEST_F(RegistryEdits, OfAPlanWithoutChecksumKeepToTheModel) {
    Registry registry = read_registry(text_, "f").value().registry;
    RegistryVariant& variant = registry.sections[0].variants[0];
    variant.pshard.checksum.reset();
    EXPECT_THAT(match_registry(registry, planning_.inventory, kMiB).text,
                HasSubstr("; it has no checksum, so nobody can tell"));
    for (RegistryTier& tier : variant.tiers) tier.pshard.plan = std::nullopt;
    variant.tiers[0].choice.n_pinned = planning_.inventory.n_layers + 1;
    EXPECT_EQ(match_registry(registry, planning_.inventory, kMiB).text,
              "its plans keep more layers on the GPU than the model has: plan again");
}

}  // namespace
}  // namespace pshard
