#include "runtime/memory_watch.h"

#include <fmt/format.h>

#include <utility>

namespace pshard {
namespace {

// The watch tells after so many passes: a run may never have a batch for its largest tier.
constexpr int kPatience = 16;  // passes

// The first pass of a tier that replays a captured graph: its second one has captured it.
constexpr int kReplayed = 3;

// From here on the depth of the caches can make a difference.
constexpr std::uint64_t kDeep = 4096;  // tokens

}  // namespace

std::optional<Bytes> taken_outside(Bytes before, Bytes now, Bytes arenas) {
    if (before < now || before - now < arenas) return std::nullopt;
    return before - now - arenas;
}

std::string outside_excess(const MemoryClaims& claims, Bytes outside) {
    if (!claims.driver || outside <= claims.driver->bytes + kOutsideTolerance) return "";
    const Bytes agreed = claims.budget + claims.driver->bytes;
    const Bytes taken = claims.arenas + outside;
    if (taken <= agreed) return "";
    return fmt::format(
        "{:.1f} MiB of device memory are taken outside the arena, {:.1f} were "
        "predicted: in all {:.1f} MiB more than the budget of {:.0f} MiB and that "
        "prediction; if no other program has taken them, profile the machine again "
        "(llama-profiler-gpu), or give a budget that is smaller by as much",
        in_mib(outside),
        in_mib(claims.driver->bytes),
        in_mib(taken - agreed),
        in_mib(claims.budget));
}

std::function<Bytes()> free_memory(ggml_backend_dev_t gpu, ggml_backend_dev_t cpu) {
    if (gpu == cpu) return {};
    return [gpu] { return memory_of(gpu).free; };
}

MemoryWatch::MemoryWatch(std::function<Bytes()> free_bytes, Log log)
    : free_bytes_(std::move(free_bytes)), log_(std::move(log)) {
    if (free_bytes_) before_ = free_bytes_();
}

bool MemoryWatch::is_news(const TierOfPass& tier) {
    if (before_ == 0) return false;
    const int of_tier = ++passes_[tier.key];
    n_tokens_ += tier.n_tokens;
    const bool both = passes_.contains(tier.smallest) && passes_.contains(tier.largest);
    due_ = !told_ && (both || ++n_passes_ >= kPatience);
    const bool is_twice_as_deep = n_tokens_ >= 2 * n_tokens_seen_ && n_tokens_ >= kDeep;
    const bool is_news = of_tier == 1 || of_tier == kReplayed || is_twice_as_deep || due_;
    if (is_news) n_tokens_seen_ = n_tokens_;
    return is_news;
}

void MemoryWatch::look(const MemoryClaims& claims) {
    std::optional<Bytes> outside = taken_outside(before_, free_bytes_(), claims.arenas);
    if (outside && claims.driver) *outside += claims.driver->unseen;
    if (due_) tell(claims, outside);
    if (outside && !warned_) warn(claims, *outside);
}

void MemoryWatch::tell(const MemoryClaims& claims, std::optional<Bytes> outside) {
    told_ = true;
    const std::string measured =
        outside
            ? fmt::format("{:.1f} outside it", in_mib(*outside))
            : "not measurable outside it, as the device's free memory has not shrunk by as much";
    const std::string predicted =
        claims.driver ? fmt::format("{:.1f} predicted", in_mib(claims.driver->bytes))
                      : "without a prediction";
    log_(fmt::format("device memory: {:.1f} MiB in the arena, {} ({})",
                     in_mib(claims.arenas),
                     measured,
                     predicted));
}

void MemoryWatch::warn(const MemoryClaims& claims, Bytes outside) {
    const std::string excess = outside_excess(claims, outside);
    if (excess.empty()) return;
    warned_ = true;
    log_("warning: " + excess);
}

}  // namespace pshard
