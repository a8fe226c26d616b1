// Holds plans against the memory of the host that will run them.
//
// What counts is the sum of three parts, though only two of them must fit:
//
//   KV cache, values   written by the run: swapped out or killed where they do not fit
//   weights            mapped from the model's file: the system may drop and read them again, but
//                      every pass reads all of them, so that a plan then runs at the disk's speed,
//                      which no prediction knows
//
// Weights that are resident on the GPU do not count: their pages are dropped once they are there.
// So all three must fit, unless --host-memory says that there is, or will be, more.
//
//   whose memory               how much
//   --host-memory              that
//   this machine's             available_host_memory(): what can be dropped counts
//   of a profile of another    its RAM, less what its system keeps; not checked if the profile
//   machine                    does not say
//   of a saved inventory       not checked without a profile: it may come from anywhere
//
// Remedies are tried, not reckoned: the inventory is shrunk as llama.cpp would shrink the caches,
// and a tier for prompts is planned again as if nobody had measured the machine, with what was
// packed for the plan itself. The graphs stay those of the larger context, which take no less;
// small caches may add some values, for which a share stays free.
//
//   -ctk q8_0 -ctv q8_0        34 bytes for 32 values; V wants flash attention
//   -c N                       halving on a scale of shares, to 10 %
//
// Traps: only caches that grow with -c shrink with it: windows and recurrent states do not.
#include "planning/host_memory.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/counted.h"
#include "machine/host_memory.h"
#include "machine/identity.h"
#include "plan/tiers.h"
#include "search/tier_search.h"

namespace pshard::tool {
namespace {

// What the system and other programs of another machine keep of its RAM.
constexpr Bytes kSystemBytes = 2 * kGiB;

constexpr double kBytesOfQ8 = 34.0 / 32.0;  // for each value

// How exactly the largest context that fits is found.
constexpr double kContextRatio = 1.1;

// One part in so many stays free where a remedy is tried.
constexpr Bytes kSlack = 64;

// Contexts are named in multiples of llama.cpp's padding of a sequence.
constexpr std::uint32_t kContextStep = 256;

HostMemory memory_of_other(const MachineProfile& profile) {
    if (!profile.host_memory_mib) {
        return {std::nullopt,
                "",
                "how much memory the profile's machine has is not known, so that plans may need "
                "more: give --host-memory MiB to have them checked"};
    }
    const auto has = static_cast<Bytes>(*profile.host_memory_mib * double(kMiB));
    const Bytes left = has - std::min(has, kSystemBytes);
    return {left,
            fmt::format("the profile's machine has {:.0f}, less {:.0f} for its system",
                        in_mib(has),
                        in_mib(kSystemBytes)),
            ""};
}

// What a run could ask of llama.cpp instead.
struct SmallerCaches {
    bool small_k = false;  // -ctk q8_0
    bool small_v = false;  // -ctv q8_0
    double share = 1;      // of the context
};

double share_of_q8(const std::string& type) {
    if (type == "f32") return kBytesOfQ8 / 4;
    if (type == "f16" || type == "bf16") return kBytesOfQ8 / 2;
    return 1;
}

Inventory shrunk(Inventory inventory, const SmallerCaches& smaller) {
    std::int64_t most_cells = 0;
    for (const State& state : inventory.states) most_cells = std::max(most_cells, state.n_cells);
    for (State& state : inventory.states) {
        if (state.kind != StateKind::Kv) continue;
        const bool small = state.name.starts_with("cache_v") ? smaller.small_v : smaller.small_k;
        const double share = (small ? share_of_q8(state.type) : 1) *
                             (state.n_cells == most_cells ? smaller.share : 1);
        state.bytes = static_cast<Bytes>(std::ceil(double(state.bytes) * share));
        state.alloc_bytes = static_cast<Bytes>(std::ceil(double(state.alloc_bytes) * share));
    }
    return inventory;
}

// The smallest tier that is a prompt, or the largest of all: where that fits, a run is worth it.
const Graph& prompt_graph(const Inventory& inventory) {
    const auto found = std::ranges::find_if(
        inventory.graphs, [](const Graph& graph) { return graph.n_tokens >= kFirstPromptTier; });
    return found == inventory.graphs.end() ? inventory.graphs.back() : *found;
}

// Looks for what makes room for prompts.
class Remedies {
public:
    explicit Remedies(const Problem& problem) : problem_(problem), limits_(problem.host) {
        *limits_.memory -= *limits_.memory / kSlack;
    }

    [[nodiscard]] std::vector<std::string> find() const {
        std::vector<std::string> found;
        const bool small_v = problem_.inventory.flash_attention;
        if (helps({.small_k = true, .small_v = small_v})) {
            found.emplace_back(small_v ? "-ctk q8_0 -ctv q8_0" : "-ctk q8_0");
        }
        if (const std::uint32_t n_ctx = context(); n_ctx > 0) {
            found.push_back(fmt::format("-c {}", n_ctx));
        }
        return found;
    }

private:
    [[nodiscard]] bool helps(const SmallerCaches& smaller) const {
        const Inventory inventory = shrunk(problem_.inventory, smaller);
        const Problem problem{
            inventory, nullptr, problem_.budget, 0, limits_, problem_.forced, {}, problem_.packed};
        return plan_tier(problem, prompt_graph(inventory)).winner() != nullptr;
    }

    // The largest context that makes room, of those that are tried; 0: none does.
    [[nodiscard]] std::uint32_t context() const {
        const ContextSpec& context = problem_.inventory.context;
        const std::uint32_t least = kContextStep * std::max(context.n_seq_max, 1U);
        if (context.n_ctx <= least) return 0;
        double good = double(least) / context.n_ctx;
        if (!helps({.share = good})) return 0;
        double bad = 1;
        while (bad / good > kContextRatio) {
            const double middle = std::sqrt(good * bad);
            (helps({.share = middle}) ? good : bad) = middle;
        }
        const auto fits = static_cast<std::uint32_t>(good * context.n_ctx);
        return fits / least * least;
    }

    const Problem& problem_;
    HostLimits limits_;
};

std::string host_shortage_text(const Inventory& inventory,
                               const HostUse& use,
                               const HostMemory& host) {
    return fmt::format(
        "at least {:.0f} MiB of host memory are needed with -c {} (weights {:.0f}, KV cache "
        "{:.0f}, values {:.0f}), and {}",
        in_mib(use.total()),
        inventory.context.n_ctx,
        in_mib(use.streamed + use.computed),
        in_mib(use.states),
        in_mib(use.scratch),
        host.text);
}

// The plan that needs the least host memory of those that lack some; nullptr: no plan does.
const Candidate* least_need(const TierPlan& tier) {
    const Candidate* least = nullptr;
    for (const Candidate& plan : tier.refused) {
        if (plan.verdict != Verdict::HostTooSmall) continue;
        const bool less = least == nullptr || plan.memory.host.total() < least->memory.host.total();
        if (less) least = &plan;
    }
    return least;
}

}  // namespace

HostMemory host_memory(const Options& options, const std::optional<MachineProfile>& profile) {
    if (options.host_memory_mib) {
        return {*options.host_memory_mib * kMiB,
                fmt::format("--host-memory is {}", *options.host_memory_mib),
                ""};
    }
    const bool is_other = profile && !differences(*profile, this_machine()).empty();
    if (is_other) return memory_of_other(*profile);
    if (!profile && !options.inventory.empty()) return {};
    const Bytes available = available_host_memory();
    if (available == 0) return {};
    return {available, fmt::format("{:.0f} are available here", in_mib(available)), ""};
}

std::string host_refusal(const Problem& problem, const HostUse& use, const HostMemory& host) {
    const Bytes there_is = host.bytes.value_or(0);
    const std::vector<std::string> fitting = Remedies(problem).find();
    const std::string help =
        fitting.empty() ? std::string("no smaller -c makes room, a smaller quantization may")
                        : fmt::format("with {} there is a plan", fmt::join(fitting, ", or with "));
    const std::string all_the_same =
        use.states + use.scratch > there_is
            ? std::string()
            : fmt::format(
                  "; --host-memory {} plans all the same, but then the run reads weights "
                  "from the disk again and again",
                  use.total() / kMiB + 1);
    return fmt::format(
        "{}; {}{}", host_shortage_text(problem.inventory, use, host), help, all_the_same);
}

std::optional<std::string> host_refusal(const Planning& planning, const HostMemory& host) {
    if (is_viable(planning)) return std::nullopt;
    for (const TierPlan& tier : planning.plan.tiers) {
        const Candidate* least = least_need(tier);
        if (least != nullptr) return host_refusal(problem_of(planning), least->memory.host, host);
    }
    return std::nullopt;
}

std::optional<std::string> host_note(const Planning& planning, const HostMemory& host) {
    std::vector<TierPlan> tiers = planning.plan.tiers;
    tiers.insert(tiers.end(), planning.plan.dominated.begin(), planning.plan.dominated.end());
    for (const TierPlan& tier : tiers) {
        const Candidate* least = tier.winner() == nullptr ? least_need(tier) : nullptr;
        if (least == nullptr) continue;
        return fmt::format("batches of {} have no plan: {}",
                           counted(to_text(tier.key), "token"),
                           host_shortage_text(planning.inventory, least->memory.host, host));
    }
    return std::nullopt;
}

}  // namespace pshard::tool
