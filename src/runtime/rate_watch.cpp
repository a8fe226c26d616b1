#include "runtime/rate_watch.h"

#include <utility>

#include <fmt/format.h>

#include "base/counted.h"

namespace pshard {
namespace {

constexpr std::uint32_t kEnoughTokens = 64;
constexpr double kFarApart = 1.5;

void add_to(TimedPasses& sum, const TimedPasses& passes) {
    sum.n_passes += passes.n_passes;
    sum.n_tokens += passes.n_tokens;
    sum.seconds += passes.seconds;
}

double measured_rate(const TimedPasses& passes) { return passes.n_tokens / passes.seconds; }

// The rate of these batches if each takes as long as a full batch of the tier at that rate.
double rate_of_batches(const TimedPasses& passes, const TierKey& tier, double rate) {
    return rate * passes.n_tokens / (double(passes.n_passes) * tier.n_tokens);
}

bool is_far_apart(const TimedPasses& passes, const RateWatch::Tier& tier) {
    const auto& [empty, full] = tier.expected;
    if (empty <= 0) return false;
    const double slowest = rate_of_batches(passes, tier.key, full > 0 ? full : empty);
    const bool all_full = passes.n_tokens == passes.n_passes * tier.key.n_tokens;
    const double measured = measured_rate(passes);
    return measured * kFarApart < slowest || (all_full && measured > empty * kFarApart);
}

std::string text_of(const TimedPasses& passes, const RateWatch::Tier& tier) {
    const double predicted = rate_of_batches(passes, tier.key, tier.expected.empty);
    return fmt::format("{} t/s up to {} ({})",
                       rate_text(measured_rate(passes)),
                       counted(to_text(tier.key), "token"),
                       predicted > 0 ? rate_text(predicted) + " predicted" : "none predicted");
}

constexpr const char* kHint =
    "; they are more than 1.5 times apart: measure this machine again (llama-profiler-gpu, "
    "llama-profiler-cpu) and plan again, see that nothing else uses the GPU and that the model "
    "fits into host memory; PSHARD_TRACE=FILE keeps what took how long";

}  // namespace

RateWatch::RateWatch(const std::vector<Tier>& tiers) {
    for (const Tier& tier : tiers) tallies_.push_back({tier});
}

void RateWatch::add(const TimedPasses& passes) {
    if (!std::exchange(begun_, true)) return;
    Tally& tally = tallies_[passes.tier];
    add_to(tally.first.n_passes == 0 ? tally.first : tally.rest, passes);
}

std::string RateWatch::news(bool at_end) {
    const bool is_time =
        at_end || (!tallies_.empty() && tallies_.front().rest.n_tokens >= kEnoughTokens);
    if (told_ || !is_time) return "";
    std::string rates;
    bool apart = false;
    for (const Tally& tally : tallies_) {
        const TimedPasses& passes = tally.counted();
        if (passes.n_tokens == 0 || passes.seconds <= 0) continue;
        rates += (rates.empty() ? "" : ", ") + text_of(passes, tally.tier);
        apart = apart || is_far_apart(passes, tally.tier);
    }
    if (rates.empty()) return "";
    told_ = true;
    return "measured " + rates + (apart ? kHint : "");
}

}  // namespace pshard
