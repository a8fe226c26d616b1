#include "runtime/planned_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/host_buffer.h"

namespace pshard {
namespace {

// Scratch beyond the plan: a graph in pieces keeps more values alive than the whole that was
// planned.
constexpr Bytes kSpareScratch = 8 * kMiB;

// The arena's size: as much as the largest tier uses, and spare scratch if the plan's budget has
// room.
Bytes size_of(const ArenaLayout& layout, Bytes budget) {
    Bytes end = 0;
    Bytes scratch = 0;
    for (const TierArena& tier : layout.tiers) {
        end = std::max(end, tier.end);
        scratch = std::max(scratch, tier.scratch);
    }
    const Bytes spare = kSpareScratch + scratch / 8;
    return scratch == 0 ? end : std::max(end, std::min(budget, end + spare));
}

// Gives the CPU what the plan does not know: the states of a context that came after it.
void pad(Places& places, const Inventory& inventory) {
    places.placement.weights.resize(inventory.weights.size(), Lane::Cpu);
    places.placement.states.resize(inventory.states.size(), Lane::Cpu);
    places.arena.weights.resize(inventory.weights.size(), kNoOffset);
    places.arena.states.resize(inventory.states.size(), kNoOffset);
}

void to_host(std::vector<Lane>& lanes, std::vector<Bytes>& offsets) {
    std::fill(lanes.begin(), lanes.end(), Lane::Cpu);
    std::fill(offsets.begin(), offsets.end(), kNoOffset);
}

void stop_streams(Places& places) {
    const auto stop = [](Lane& lane) { lane = is_streamed(lane) ? Lane::Cpu : lane; };
    std::for_each(places.placement.weights.begin(), places.placement.weights.end(), stop);
    std::for_each(places.placement.states.begin(), places.placement.states.end(), stop);
    places.arena.slots = {};
    places.arena.scratch_begin = places.arena.slots_begin;
}

Bytes streamed_bytes(const Inventory& inventory, const Placement& placement) {
    Bytes bytes = 0;
    for (std::size_t i = 0; i < placement.weights.size(); ++i) {
        if (is_streamed(placement.weights[i])) bytes += inventory.weights[i].bytes;
    }
    for (std::size_t i = 0; i < placement.states.size(); ++i) {
        if (is_streamed(placement.states[i])) bytes += inventory.states[i].bytes;
    }
    return bytes;
}

std::vector<RateWatch::Tier> rate_tiers(const Orders& orders) {
    std::vector<RateWatch::Tier> tiers;
    for (const TierOrder& order : orders.tiers) tiers.push_back({order.key, order.expected});
    return tiers;
}

TierTraffic traffic_of(const Inventory& inventory, const Orders& orders) {
    TierTraffic traffic;
    for (std::size_t from = 0; from < orders.tiers.size(); ++from) {
        const TierOrder& tier = orders.tiers[from];
        traffic.tiers.push_back(tier.key);
        traffic.streamed.push_back(streamed_bytes(inventory, tier.placement));
        std::vector<Bytes>& moves = traffic.moves.emplace_back();
        for (const TierArena& to : orders.arena.tiers) {
            moves.push_back(switch_bytes(inventory, orders.arena.tiers[from], to).total());
        }
    }
    return traffic;
}

// Weights or states: where a plan has them, and their tensors.
struct Kind {
    std::vector<Lane> Placement::*lanes;
    std::vector<Bytes> TierArena::*offsets;
    const ggml_tensor* (Model::*tensor)(int) const;
};

constexpr Kind kWeights{&Placement::weights, &TierArena::weights, &Model::weight};
constexpr Kind kStates{&Placement::states, &TierArena::states, &Model::state};

// How often a tensor crosses the link: the more often, the more its lock gains.
enum Crossing { EachToken, EachBatch, EachSwitch, Once };

// Tokens come one by one most of the time, in the smallest tier.
Crossing crossing_of(const Orders& orders, const Kind& kind, std::size_t index) {
    const Bytes first = (orders.arena.tiers.front().*kind.offsets)[index];
    Crossing crossing = Once;
    for (std::size_t tier = 0; tier < orders.tiers.size(); ++tier) {
        if (is_streamed((orders.tiers[tier].placement.*kind.lanes)[index]))
            return tier == 0 ? EachToken : EachBatch;
        if ((orders.arena.tiers[tier].*kind.offsets)[index] != first) crossing = EachSwitch;
    }
    return crossing;
}

// The masters of the tensors that cross more than once. A state whose context is gone has none, and
// what is borrowed is left to its owner: memory is locked once.
std::vector<Uploaded> uploaded_again(const Orders& orders, const Model& model, const Kind& kind) {
    std::vector<Uploaded> masters;
    for (std::size_t i = 0; i < (orders.arena.tiers.front().*kind.offsets).size(); ++i) {
        const Crossing crossing = crossing_of(orders, kind, i);
        const ggml_tensor* tensor = (model.*kind.tensor)(static_cast<int>(i));
        if (crossing == Once || tensor == nullptr) continue;
        const HostBuffer& buffer = *host_buffer_of(*tensor);
        if (model.borrows_from(buffer)) continue;
        masters.push_back({{static_cast<const std::byte*>(tensor->data), ggml_nbytes(tensor)},
                           buffer.is_ours(),
                           crossing});
    }
    return masters;
}

Bytes total_bytes(const std::vector<Uploaded>& masters) {
    Bytes bytes = 0;
    for (const Uploaded& master : masters) bytes += master.range.bytes;
    return bytes;
}

}  // namespace

PlannedModel::PlannedModel(ggml_backend_dev_t gpu,
                           const DevicePolicy& policy,
                           PageLocks& locks,
                           Log progress)
    : model(policy), gpu_(gpu), page_locks_(locks), progress_(std::move(progress)) {}

Status PlannedModel::plan(const OrderGiver& source, Bytes budget) {
    refused_bytes_ = 0;
    Result<Orders> orders = source(model.inventory(), budget);
    if (!orders) return orders.error();
    PSHARD_CHECK(!orders.value().tiers.empty());
    const Bytes bytes = size_of(orders.value().arena, std::min(budget, orders.value().budget));
    if (bytes > budget) {
        return Error{fmt::format("the plan takes {:.1f} MiB of device memory, {:.1f} MiB more than "
                                 "the budget leaves; plan again with a smaller -mva",
                                 in_mib(bytes),
                                 in_mib(bytes - budget)),
                     {}};
    }
    if (Status allocated = allocate(bytes); !allocated) {
        refused_bytes_ = bytes;
        return allocated;
    }
    orders_ = std::move(orders).value();
    rates = RateWatch(rate_tiers(*orders_));
    picker_.emplace(traffic_of(model.inventory(), *orders_));
    tier_ = 0;
    filled_.reset();
    return Done{};
}

PlannedModel::LockedPages PlannedModel::lock_pages() {
    std::vector<Uploaded> weights = uploaded_again(*orders_, model, kWeights);
    const Bytes wanted =
        total_bytes(weights) + total_bytes(uploaded_again(*orders_, model, kStates));
    locked_weights_ = page_locks_.lock(std::move(weights),
                                       told_each_second("page-locking weights", "MiB", progress_));
    lock_states();
    return {wanted, locked_weights_.bytes() + locked_states_->bytes()};
}

void PlannedModel::lock_states() {
    locked_states_ = page_locks_.lock(uploaded_again(*orders_, model, kStates));
}

void PlannedModel::mark_stale() {
    filled_.reset();
    locked_states_.reset();
}

Status PlannedModel::allocate(Bytes bytes) {
    arena_.reset();
    if (bytes == 0) return Done{};
    arena_.reset(ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(gpu_), bytes));
    if (arena_ == nullptr) {
        return Error{fmt::format("{} refuses {:.1f} MiB of device memory; give a smaller budget "
                                 "(PSHARD_MAX_VRAM_ALLOC), or free some",
                                 ggml_backend_dev_name(gpu_),
                                 in_mib(bytes)),
                     {}};
    }
    ggml_backend_buffer_clear(arena_.get(), 0);  // kernels may read padding
    return Done{};
}

void PlannedModel::release(Staging& link) {
    if (!planned()) return;
    Places nothing;
    pad(nothing, model.inventory());
    residency.go_to(nothing.arena, model, arena_.get(), link);
    mark_stale();
    locked_weights_ = {};
    arena_.reset();
    orders_.reset();
}

std::size_t PlannedModel::next_tier(std::uint32_t n_tokens, std::optional<std::size_t> begun) {
    const std::vector<TierOrder>& tiers = orders_->tiers;
    if (begun && *begun < tiers.size() && tiers[*begun].key.covers({n_tokens})) return *begun;
    return n_tokens == 0 ? tier_ : picker_->next({n_tokens}, tier_);
}

Places PlannedModel::places(std::size_t tier, Fallback fallback) const {
    const TierOrder& order = orders_->tiers[tier];
    Places places{order.placement, order.options, orders_->arena.tiers[tier]};
    pad(places, model.inventory());
    if (fallback == Fallback::HostState || fallback == Fallback::Host) {
        to_host(places.placement.states, places.arena.states);
    }
    if (fallback == Fallback::Host) to_host(places.placement.weights, places.arena.weights);
    if (fallback != Fallback::None) stop_streams(places);
    return places;
}

Bytes PlannedModel::fill_arena(const Places& places, std::size_t tier, Staging& link) {
    const OnProgress told = told_each_second("filling the device's memory", "tensors", progress_);
    const Bytes moved = residency.go_to(places.arena, model, arena_.get(), link, told);
    filled_ = places.arena;
    tier_ = tier;
    return moved;
}

Bytes PlannedModel::arena_bytes() const {
    return arena_ == nullptr ? 0 : ggml_backend_buffer_get_size(arena_.get());
}

Bytes PlannedModel::scratch_room(const TierArena& arena) const {
    const Bytes all = arena_bytes();
    return all > arena.scratch_begin ? all - arena.scratch_begin : 0;
}

Status PlannedModel::grow_scratch(Bytes bytes, Bytes budget) {
    if (bytes <= arena_bytes()) return Done{};
    if (bytes > budget) {
        return Error{fmt::format("a graph needs {:.1f} MiB of device memory, {:.1f} MiB more than "
                                 "the budget leaves (PSHARD_MAX_VRAM_ALLOC)",
                                 in_mib(bytes),
                                 in_mib(bytes - budget)),
                     {}};
    }
    return allocate(bytes);
}

}  // namespace pshard
