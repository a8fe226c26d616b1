// What the published format has no place for. The pshard lines are comments, which the published
// reader skips:
//
//   # pshard section file_bytes=18631619200
//   # pshard variant version=1 weights=0x... states=0x... n_ubatch=2048 ...
//   # pshard tier depth=4096 tps_empty=41.25 ... bound_by=link
//
// Each struct has one table of fields in registry_fields.h, which reader and writer walk. A key
// never changes its meaning. Keys that we do not know, and values that we cannot read, stay in
// `unknown` and are written again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fingerprint.h"
#include "base/result.h"
#include "base/text.h"
#include "base/units.h"
#include "inventory/inventory.h"
#include "plan/choice.h"
#include "plan/pass_times.h"

namespace pshard {

// The version of the pshard lines. It rises when older readers must no longer use the plans.
inline constexpr std::uint32_t kPshardVersion = 1;

struct PshardSection {
    std::optional<Bytes> file_bytes;   // the input of the fingerprint that its comment leaves out
    std::vector<std::string> unknown;  // "key=value", as read

    bool operator==(const PshardSection&) const = default;
};

// What the plans of a variant were made for [A22]. A run may use them only if all of this is equal.
// These facts stand in the variant, not in the section: a section outlives a change of profile, and
// its old plans must not pass for new ones.
struct PshardVariant {
    std::optional<std::uint32_t> version;  // kPshardVersion
    std::optional<Hash64> weights;         // weights_hash
    std::optional<Hash64> all_weights{};   // all_weights_hash, where that is another
    std::optional<Hash64> tensors{};       // of the model's files: Inventory::header_hash
    std::optional<Hash64> states;          // states_hash
    std::optional<std::string>
        smaller_states;                     // states_hash of smaller ubatches, with commas between
    std::optional<std::uint32_t> n_ubatch;  // tokens; sizes KV and SWA cells
    std::optional<std::uint32_t> asked_ubatch;     // the largest tier that was asked for, if others
                                                   // are left out since smaller ones are faster
    std::optional<std::uint32_t> faster_ubatch{};  // reckoned faster than n_ubatch, which was named
    std::optional<std::uint32_t> output_rows;      // rows of logits in the graph of n_ubatch tokens
    std::optional<bool> kv_unified;
    std::optional<bool> swa_full;
    std::optional<bool> windowed;           // is_windowed of the inventory
    std::optional<bool> flash_attention{};  // what -fa auto came to
    std::optional<Bytes> shared;      // part of the budget that a draft model and the like take
    std::optional<Hash64> sharers{};  // hash of what these are
    std::optional<Bytes> pools{};     // part of the budget that the device allocates by itself
    std::optional<Bytes> outside;     // as in PshardTier; for a variant that has no tiers
    std::optional<Bytes> unseen;      // part of `outside`, taken before a process can ask
    std::optional<Hash64> machine;    // hash of the machine and its profile
    std::optional<Hash64>
        checksum{};  // of the variant's lines (registry/checksum.h), on its own line
    std::vector<std::string> unknown;  // "key=value", as read

    bool operator==(const PshardVariant&) const = default;
};

// What is known of a tier's plan beyond the published lines. All rates are tokens per second at the
// tier's batch.
struct PshardTier {
    std::optional<PlanChoice> plan;  // the chosen plan, if it has no published form: the published
                                     // lines then hold the best plan that their reader can run
    std::optional<std::uint32_t> depth;  // tokens in the KV cache at which `tps` holds
    std::optional<double> tps;           // rate of `plan`; without it, the published line has one
    std::optional<double> tps_empty;     // rate of the chosen plan with an empty KV cache
    std::optional<double> tps_full;      // rate of the chosen plan with n_ctx tokens in it
    std::optional<double> tps_stock;     // rate of stock llama.cpp's own fit, at `depth`
    std::optional<std::vector<PassPoint>> passes;  // seconds of the chosen plan by depth
    std::optional<Hash64> ops;            // hash of the graph that was planned (plan/plan_hash.h)
    std::optional<Hash64> steps;          // hash of what the plan makes of that graph
    std::optional<Bytes> arena;           // the arena, and its parts:
    std::optional<Bytes> pinned;          //   weights that stay
    std::optional<Bytes> states_bytes;    //   KV cache and recurrent state that stay
    std::optional<Bytes> slots;           //   stream slots
    std::optional<Bytes> scratch;         //   values between ops
    std::optional<Bytes> outside;         // what the driver takes besides the arena
    std::optional<bool> slice_experts;    // uploads only the routed experts that a batch uses
    std::optional<std::string> bound_by;  // a word: "link", "gpu", "cpu", ...
    std::vector<std::string> unknown;     // "key=value", as read

    bool operator==(const PshardTier&) const = default;
};

// The hash of name, type and shape of each weight that a device can hold; a backend never sees the
// others (Side::Input). The order of `weights` does not matter.
Hash64 weights_hash(const std::vector<Weight>& weights);

// The same with the weights of layers that llama.cpp leaves to the CPU as the planned device has no
// kernel for them: what a device sees that has one, as the CPU in the place of a GPU.
Hash64 all_weights_hash(const std::vector<Weight>& weights);

// The hash of the bytes of KV cache and recurrent state in each layer. The order of `states` does
// not matter.
Hash64 states_hash(const std::vector<State>& states);

// The facts that must match before a run may use a plan of `inventory` on `machine`.
PshardVariant plan_key(const Inventory& inventory, Hash64 machine);

// Read the pairs of a line, which stand behind its level, into `pshard`. Several lines add up. A
// pair with a fault is reported and stays in `unknown`.
std::vector<Error> read_pshard(Cursor& pairs, PshardSection& pshard);
std::vector<Error> read_pshard(Cursor& pairs, PshardVariant& pshard);
std::vector<Error> read_pshard(Cursor& pairs, PshardTier& pshard);

// Write lines of at most 100 columns, unless one value is longer; "" if no field is set.
std::string pshard_text(const PshardSection& pshard);
std::string pshard_text(const PshardVariant& pshard);
std::string pshard_text(const PshardTier& pshard);

}  // namespace pshard
