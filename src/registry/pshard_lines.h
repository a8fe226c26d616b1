// What the published format has no place for. It is written in comments, which the published reader
// passes over:
//
//   # pshard section file_bytes=18631619200
//   # pshard variant version=1 weights=0x... states=0x... n_ubatch=2048 ...
//   # pshard tier depth=4096 tps_empty=41.25 ... bound_by=link
//
// Each struct has one table of fields in registry_fields.h, which reader and writer walk. A key
// never changes its meaning. Keys that we do not know, and values that we cannot read, are kept in
// `unknown` and written again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fingerprint.h"
#include "base/result.h"
#include "base/text.h"
#include "base/units.h"
#include "inventory/inventory.h"
#include "plan/choice.h"

namespace pshard {

// Version of the pshard lines. Raised when older readers must no longer use the plans.
inline constexpr std::uint32_t kPshardVersion = 1;

struct PshardSection {
    std::optional<Bytes> file_bytes;   // the input of the fingerprint that its comment leaves out
    std::vector<std::string> unknown;  // "key=value", as read

    bool operator==(const PshardSection&) const = default;
};

// What the plans of a variant were made for [A22]. They hold only where all of this is equal.
// In the variant, not in the section: a section outlives a change of profile, its old plans must
// not pass for new ones.
struct PshardVariant {
    std::optional<std::uint32_t> version;      // kPshardVersion
    std::optional<Hash64> weights;             // weights_hash
    std::optional<Hash64> states;              // states_hash
    std::optional<std::uint32_t> n_ubatch;     // tokens: sizes KV and SWA cells
    std::optional<std::uint32_t> output_rows;  // rows of logits in the graph of that ubatch
    std::optional<bool> kv_unified;
    std::optional<bool> swa_full;
    std::optional<bool> windowed;      // caches are as long as a window and n_ubatch
    std::optional<Bytes> shared;       // of the budget: left to a draft model and the like
    std::optional<Bytes> outside;      // as of a tier, where the whole model fits: without tiers
    std::optional<Bytes> unseen;       // of `outside`: taken before a process can ask what is free
    std::optional<Hash64> machine;     // of the machine and its profile
    std::vector<std::string> unknown;  // "key=value", as read

    bool operator==(const PshardVariant&) const = default;
};

// What is known of a tier's plan beyond the published lines. All rates at the tier's batch.
struct PshardTier {
    std::optional<PlanChoice> plan;  // chosen, but without a published form: the published lines
                                     // hold the best plan that the published reader can run
    std::optional<std::uint32_t> depth;   // tokens in the KV cache that `tps` holds for
    std::optional<double> tps;            // of `plan`; without `plan` the published line has it
    std::optional<double> tps_empty;      // of the chosen plan, KV cache empty
    std::optional<double> tps_full;       // of the chosen plan, KV cache of n_ctx tokens
    std::optional<Hash64> ops;            // of the graph that was planned (plan/plan_hash.h)
    std::optional<Hash64> steps;          // of what the plan makes of it
    std::optional<Bytes> arena;           // the one allocation, and its parts:
    std::optional<Bytes> pinned;          //   weights that stay
    std::optional<Bytes> states_bytes;    //   KV cache and recurrent state that stay
    std::optional<Bytes> slots;           //   stream slots
    std::optional<Bytes> scratch;         //   activations
    std::optional<Bytes> outside;         // what the driver takes besides the arena
    std::optional<bool> slice_experts;    // routed experts on demand, only those that are used
    std::optional<std::string> bound_by;  // a word: "link", "gpu", "cpu", ...
    std::vector<std::string> unknown;     // "key=value", as read

    bool operator==(const PshardTier&) const = default;
};

// Hash of name, type and shape of each weight that a device can hold, in any order of `weights`: a
// backend never sees the others (Side::Input).
Hash64 weights_hash(const std::vector<Weight>& weights);

// Hash of the bytes of KV cache and recurrent state of each layer, in any order of `states`.
Hash64 states_hash(const std::vector<State>& states);

// What a plan of `inventory` on `machine` is matched by.
PshardVariant plan_key(const Inventory& inventory, Hash64 machine);

// The pairs of a line, behind its level, into `pshard`; several lines add up. A fault is reported,
// and the pair kept in `unknown`.
std::vector<Error> read_pshard(Cursor& pairs, PshardSection& pshard);
std::vector<Error> read_pshard(Cursor& pairs, PshardVariant& pshard);
std::vector<Error> read_pshard(Cursor& pairs, PshardTier& pshard);

// Lines of at most 100 columns where the values allow it; "" if no field is set.
std::string pshard_text(const PshardSection& pshard);
std::string pshard_text(const PshardVariant& pshard);
std::string pshard_text(const PshardTier& pshard);

}  // namespace pshard
