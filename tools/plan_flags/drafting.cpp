#include "plan_flags/drafting.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "capture/gguf_header.h"

namespace pshard::tool {
namespace {

constexpr std::string_view kMtp = "draft-mtp";
constexpr std::string_view kEagle3 = "draft-eagle3";
constexpr std::string_view kDflash = "draft-dflash";
constexpr std::string_view kDspark = "draft-dspark";

// A kind of drafting, as llama.cpp v0.5.0 has it (common/speculative.cpp: common_speculative_n_max;
// common/common.h: need_n_rs_seq).
struct DraftingKind {
    std::string_view name;
    bool takes_back = false;               // recurrent states are kept, to take tokens back
    std::optional<std::uint32_t> n_max{};  // by llama.cpp's default; nullopt: --spec-draft-n-max
    bool in_blocks = false;                // several tokens in one pass of what drafts
};

constexpr std::array kKinds = {
    DraftingKind{"none", false, 0},
    DraftingKind{"draft-simple"},
    DraftingKind{kMtp, true},
    DraftingKind{kEagle3, true},
    DraftingKind{kDflash, true, {}, true},
    DraftingKind{kDspark, true, {}, true},
    DraftingKind{"ngram-simple", false, 48},
    DraftingKind{"ngram-map-k", false, 48},
    DraftingKind{"ngram-map-k4v", false, 48},
    DraftingKind{"ngram-mod", false, 64},
    DraftingKind{"ngram-cache", false, 8},
};

const DraftingKind* kind_of(std::string_view name) {
    const auto* found = std::ranges::find(kKinds, name, &DraftingKind::name);
    return found == kKinds.end() ? nullptr : found;
}

// A comma may stand behind the last name.
std::vector<std::string> names_in(const std::string& list) {
    std::vector<std::string> names = split(list, ',');
    if (list.ends_with(',')) names.pop_back();
    return names;
}

bool has_tensor(const std::vector<GgufHeader>& files, std::string_view ending) {
    return std::ranges::any_of(files, [&](const GgufHeader& file) {
        return std::ranges::any_of(
            file.tensors, [&](const GgufTensor& tensor) { return tensor.name.ends_with(ending); });
    });
}

// As llama.cpp v0.5.0 tells it (common/speculative.cpp, common_speculative_types_from_gguf), but
// for EAGLE3, which it wants to be told, and for layers of MTP: it asks the last one only, this
// any.
// "": an ordinary model, or none.
std::string_view kind_of_file(const std::string& path) {
    const Result<std::vector<GgufHeader>> files = open_model_files(path);
    if (!files) return "";  // whoever plans with it says why
    const auto architecture = files.value().front().string("general.architecture").value_or("");
    if (architecture == "eagle3") return kEagle3;
    if (architecture == "dflash") {
        return has_tensor(files.value(), "markov_w1.weight") ? kDspark : kDflash;
    }
    return has_tensor(files.value(), ".nextn.eh_proj.weight") ? kMtp : "";
}

}  // namespace

void infer_kind_of_drafting(Options& options) {
    const bool named = options.mtp || !options.drafting.types.empty();
    if (!named && !options.draft_model.empty()) {
        options.drafting.types = kind_of_file(options.draft_model);
    }
}

// llama.cpp v0.5.0, src/llama-context.cpp: what is given its ctx_other.
bool drafts_with_target(const std::string& architecture) {
    constexpr std::array<std::string_view, 3> kThese = {"eagle3", "dflash", "gemma4-assistant"};
    return std::ranges::count(kThese, architecture) > 0;
}

bool drafts_in_blocks(const Options& options) {
    return std::ranges::any_of(kinds_of_drafting(options),
                               [](const std::string& name) { return kind_of(name)->in_blocks; });
}

std::string take_spec_types(Options& options, const std::string& text) {
    for (const std::string& name : names_in(text)) {
        if (kind_of(name) != nullptr) continue;
        std::vector<std::string_view> known;
        for (const DraftingKind& kind : kKinds) known.push_back(kind.name);
        return fmt::format(
            "'{}' is no kind of drafting: there are {}", name, fmt::join(known, ", "));
    }
    options.drafting.types = text;
    return "";
}

std::vector<std::string> kinds_of_drafting(const Options& options) {
    std::vector<std::string> kinds = names_in(options.drafting.types);
    if (options.mtp && std::ranges::count(kinds, kMtp) == 0) kinds.emplace_back(kMtp);
    if (kinds.empty() && !options.draft_model.empty()) kinds.emplace_back("draft-simple");
    return kinds;
}

Drafting drafting_of(const Options& options) {
    const std::uint32_t asked = options.drafting.n_max.value_or(kDefaultDrafted);
    Drafting drafting;
    for (const std::string& name : kinds_of_drafting(options)) {
        const DraftingKind& kind = *kind_of(name);
        drafting.n_max = std::max(drafting.n_max, kind.n_max.value_or(asked));
        if (kind.takes_back) drafting.n_rs_seq = asked;
        drafting.mtp = drafting.mtp || name == kMtp;
    }
    return drafting;
}

bool has_drafting_context(const Options& options) {
    return !options.draft_model.empty() || drafting_of(options).mtp;
}

std::vector<std::string> drafting_words(const Options& options) {
    std::vector<std::string> words;
    const auto add = [&](const char* flag, const std::string& value) {
        words.insert(words.end(), {flag, value});
    };
    if (!options.mmproj.empty()) add("--mmproj", options.mmproj);
    const std::vector<std::string> kinds = kinds_of_drafting(options);
    if (kinds.empty()) return words;
    if (!options.draft_model.empty()) {
        add("-md", options.draft_model);
        add("-ngld", "all");
    }
    add("-ctkd", options.drafting.type_k);
    add("-ctvd", options.drafting.type_v);
    add("--spec-type", fmt::format("{}", fmt::join(kinds, ",")));
    if (options.drafting.n_max) add("--spec-draft-n-max", std::to_string(*options.drafting.n_max));
    return words;
}

}  // namespace pshard::tool
