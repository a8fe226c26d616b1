// The request that plans are weighed by: tokens read, tokens written, sequences at once.
//
// A tier has a plan of its own, so prompts and answers weigh against each other only where one
// placement serves both: in stock llama.cpp. Its static plans are ranked by a workload, and the
// plan of PSHARD0 is held against the best of them. The batches of a prompt run behind each other
// (plan/pass_times.h), in both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/planning.h"
#include "registry/registry.h"

namespace pshard {

struct Workload {
    std::uint32_t prompt = 512;   // tokens, of each sequence
    std::uint32_t answer = 128;   // tokens, of each sequence
    std::uint32_t sequences = 1;  // all have such a prompt
    std::uint32_t depth = 0;      // tokens of each sequence before its prompt, and of its answer's

    bool operator==(const Workload&) const = default;
};

// Tokens of a prompt where nobody says what a run is for: half a sequence, 512 to 4096 tokens, and
// no more than `n_ctx`, the tokens that a sequence holds (0: not known).
std::uint32_t usual_prompt(std::uint32_t n_ctx);

// The times of the tiers' plans, or of stock llama.cpp where it holds everything.
std::vector<PassTimes> times_of(const Planning& planning);

// The same as a registry tells them of plans for such a context. Older files tell rates at three
// depths alone.
std::vector<PassTimes> times_of(const RegistryVariant& variant, const ContextSpec& context);

// The ubatch that finishes the prompts first: larger ones are not always faster. 0: no tier has a
// time.
std::uint32_t best_ubatch(const std::vector<PassTimes>& tiers, const Workload& work);

// The seconds of the workload by the plans of the tiers: the prompts of all sequences in batches of
// `n_ubatch`, as llama.cpp fills them, the answers token by token for all sequences at once.
// nullopt: not predicted.
std::optional<Seconds> planned_seconds(const std::vector<PassTimes>& tiers,
                                       const Workload& work,
                                       std::uint32_t n_ubatch);

// What the workload takes in such a ubatch.
struct UbatchTime {
    std::uint32_t n_ubatch = 0;
    Seconds seconds = 0;
};

// Whether a smaller ubatch than one that takes so long may be faster than the fastest so far: where
// that one is hardly slower than it, or leaves the prompt to the CPU, as the GPU's memory does not
// hold what a batch needs there. Else a smaller one only has more batches.
bool may_pay_below(Seconds seconds, BoundBy prompt_bound_by, Seconds fastest);

// "4.57 s", "1360 s".
std::string seconds_text(Seconds seconds);

// By the plans of the tiers, of those that have a time.
std::vector<UbatchTime> ubatch_times(const std::vector<PassTimes>& tiers, const Workload& work);

// Tells which ubatch is the fastest, if that is not the named one; nullopt: it is, but for 1 %, or
// the named one has no time.
std::optional<std::string> slow_ubatch_note(const std::vector<UbatchTime>& times,
                                            const Workload& work,
                                            std::uint32_t named);

}  // namespace pshard
