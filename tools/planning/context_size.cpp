// Reckons what a context takes by the model's own bytes per token.
//
//   contexts of 64 Ki and 128 Ki tokens are captured  ->  what the larger one takes more, per token
//   the weights, and -c times that and llama.cpp's own notes on each token, against budget and host
//   memory
//
// A capture of the context itself would take those notes: 5 GB and 25 s for -c 99999999. Where
// nobody tells how much memory the host has, no host is taken to have more than 1 TiB.
//
// Traps: a compressed cache has fewer cells than tokens; a window stops growing below 64 Ki tokens
// with a ubatch of one. One sequence is captured, as cells cost the same whoever has them. What the
// weights take is known from the file's header.
#include "planning/context_size.h"

#include <algorithm>

#include <fmt/format.h>

#include "plan_flags/drafting.h"
#include "planning/model_source.h"

namespace pshard::tool {
namespace {

// Contexts of up to so many tokens are captured as they are, in 0.3 s and 50 MB.
constexpr std::uint32_t kCheapContext = 1U << 20U;

// The most tokens that are planned: llama.cpp's notes take 0.9 GB then, and a capture 4 s.
constexpr std::uint32_t kMostContext = 1U << 24U;

constexpr std::uint32_t kProbedContext = 1U << 16U;

// llama.cpp's notes on a cell of the cache (llama_kv_cells), as measured on 2026-11-30.
constexpr Bytes kNotesPerCell = 51;

constexpr Bytes kLargestHost = 1024 * kGiB;

// The share of the memory that is named for weights and cache; the rest is for values.
constexpr double kShareNamed = 0.95;

// What caches and states take in a context of so many tokens.
Result<Bytes> state_bytes(const Options& options, ContextSpec context, std::uint32_t n_ctx) {
    context.n_ctx = n_ctx;
    context.n_seq_max = 1;
    context.n_batch = 1;
    context.n_ubatch = 1;
    const Result<Inventory> probed =
        capture_in_child({options.model, context, {1}, options.device, drafting_of(options)});
    if (!probed) return probed.error();
    Bytes bytes = 0;
    for (const State& state : probed.value().states) bytes += state.bytes;
    return bytes;
}

Result<Bytes> bytes_per_token(const Options& options, const ContextSpec& context) {
    Result<Bytes> once = state_bytes(options, context, kProbedContext);
    if (!once) return once;
    Result<Bytes> twice = state_bytes(options, context, 2 * kProbedContext);
    if (!twice) return twice;
    return (twice.value() - std::min(once.value(), twice.value())) / kProbedContext;
}

// What holds weights and cache.
struct Room {
    Bytes budget = 0;
    std::optional<Bytes> host;  // nullopt: nobody tells

    [[nodiscard]] Bytes total() const { return budget + host.value_or(kLargestHost); }
};

// The sentence's end: the largest context that there may be room for.
std::string most_tokens(const Room& room, Bytes weights, Bytes per_token) {
    if (!room.host) return "no machine is taken to have so much; --host-memory says what it has";
    const double left = double(room.total()) * kShareNamed - double(weights);
    const double tokens = std::min(left / double(per_token), double(kMostContext));
    if (tokens < 1024) return "the weights alone leave no room for one";
    return fmt::format("at most -c {} may fit", static_cast<std::uint32_t>(tokens) / 1024 * 1024);
}

}  // namespace

Result<std::optional<Refusal>> check_context(const Options& options,
                                             const Machine& machine,
                                             const Job& job) {
    const std::uint32_t n_ctx = job.context.n_ctx;
    if (n_ctx <= kCheapContext) return std::optional<Refusal>();
    const Result<std::variant<BudgetUse, Refusal>> budget = total_budget(options, machine);
    if (!budget) return budget.error();
    if (const auto* refusal = std::get_if<Refusal>(&budget.value())) return std::optional(*refusal);
    const Result<ModelFacts> facts = read_facts(options.model);
    if (!facts) return facts.error();
    const Result<Bytes> growing = bytes_per_token(options, job.context);
    if (!growing) return growing.error();
    const Room room{std::get<BudgetUse>(budget.value()).total, machine.host.bytes};
    const Bytes weights = facts.value().tensor_bytes;
    const Bytes per_token = growing.value() + kNotesPerCell;
    if (weights + per_token * n_ctx > room.total()) {
        return std::optional(Refusal{fmt::format(
            "a context of {} tokens takes {:.0f} MiB, {:.1f} KiB a token, and there are "
            "{:.0f} MiB of budget and {} of host memory, of which the weights take {:.0f}: {}",
            n_ctx,
            in_mib(per_token * n_ctx),
            double(per_token) / double(kKiB),
            in_mib(room.budget),
            room.host ? fmt::format("{:.0f}", in_mib(*room.host)) : "an unknown size",
            in_mib(weights),
            most_tokens(room, weights, per_token))});
    }
    if (n_ctx <= kMostContext) return std::optional<Refusal>();
    return std::optional(Refusal{fmt::format(
        "a context of {} tokens is more than the {} that can be planned", n_ctx, kMostContext)});
}

}  // namespace pshard::tool
