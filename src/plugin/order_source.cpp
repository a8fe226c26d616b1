// Makes the runtime's orders.
//
// In: an inventory of what llama.cpp has placed on PSHARD0, and the device bytes left for it. Out:
// orders (an arena and each tier's placement), or an Error that tells the user what to do.
//
//   PSHARD_STRATEGY forces one?  --yes-->  that choice (tests)
//        | no
//   a projector (--mmproj)?      --yes-->  planned here: no registry has plans of it
//        | no
//   a registry's plan serves?    --yes-->  its choices, in the budget that they were made for
//        | no
//   the plan of another model    --yes-->  planned here: the other's has counted it (a draft model)
//   leaves it room?
//        | no
//   PSHARD_PLAN=off?             --yes-->  Error
//        | no
//   planned here, by the profiles or, where they cannot price a plan, for an assumed machine
//        v
//   choices -> orders_of() -> Orders
//
// A plan of a registry that does not fit its own budget is tried in all that is left; then, if
// PSHARD_PLAN allows, the model is planned here, else the tiers that do not fit get less.
//
// Traps:
// * llama.cpp reserves no graph for batches that check drafts: planner/checked_batch.h makes one.
// * The same model may ask again (its contexts change): what was said once is not said again.
// * Each call moves on to the next forced strategy.
#include "plugin/order_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "base/counted.h"
#include "base/progress.h"
#include "cost/transfer.h"
#include "machine/assumed_machine.h"
#include "machine/identity.h"
#include "ops/cuda_pool.h"
#include "ops/op_table.h"
#include "plan/idle_weights.h"
#include "planner/checked_batch.h"
#include "planner/registered_plan.h"
#include "plugin/packing.h"
#include "plugin/registry_files.h"
#include "registry/registry_file.h"

namespace pshard {

namespace {

// Bytes of host memory that the passes of a plan read: what is not resident.
Bytes host_bytes(const Inventory& inventory, const Placement& placement) {
    Bytes bytes = 0;
    for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
        if (!is_resident(placement.weights[i])) bytes += inventory.weights[i].bytes;
    }
    for (std::size_t i = 0; i < inventory.states.size(); ++i) {
        if (!is_resident(placement.states[i])) bytes += inventory.states[i].bytes;
    }
    return bytes;
}

// Whether the model is what --mmproj names: towers for vision and sound, and what leads from them
// to the model. No registry has plans of it, as llama-pshard-plan-params only leaves it room.
bool is_projector(const Inventory& inventory) {
    return std::ranges::any_of(inventory.weights, [](const Weight& weight) {
        const std::string& name = weight.name;
        return name.starts_with("v.") || name.starts_with("a.") || name.starts_with("mm.");
    });
}

std::optional<DriverMemory> driver_of(const MachineProfile& profile) {
    if (!profile.gpu || !profile.gpu->overhead_mib) return std::nullopt;
    const auto bytes = [](double mib) { return static_cast<Bytes>(mib * double(kMiB)); };
    return DriverMemory{bytes(*profile.gpu->overhead_mib),
                        bytes(profile.gpu->overhead_unseen_mib.value_or(0))};
}

// How a plan comes about without a measurement, and what one would bring.
std::string for_an_assumed_machine(const std::string& missing) {
    return fmt::format(
        "for an assumed machine as there is {}: {}; prompts stream where that is no "
        "slower than stock llama.cpp there. llama-profiler-gpu and "
        "llama-profiler-cpu measure this machine in two minutes (llama-pshard-run "
        "starts them), so that the plan is the fastest for it and its speed is told",
        missing,
        assumed_machine_text());
}

class OrderSource {
public:
    OrderSource(PluginSettings settings, DeviceHere device, Log log, Log progress)
        : settings_(std::move(settings)),
          device_(std::move(device)),
          log_(std::move(log)),
          progress_(std::move(progress)) {}

    Result<Orders> operator()(const Inventory& seen, Bytes given) {
        const Inventory inventory = with_checked_batch(seen);
        const PoolDemand pools = pool_demand(inventory);
        pools_ = std::max(pools_, pools.bytes);
        const Bytes budget = given - std::min(given, pools_);
        tell(pools);
        largest_ = std::max(largest_, budget);
        Result<Chosen> chosen = choose(inventory, budget);
        if (!chosen) return chosen.error();
        Result<Orders> orders = pack(chosen.value(), inventory, budget);
        if (!orders && chosen.value().from_registry && settings_.plan_here) {
            chosen = planned_here(orders.error().text(), kMoreTiers, inventory, budget);
            if (!chosen) return chosen.error();
            orders = pack(chosen.value(), inventory, budget);
        }
        if (orders) orders.value().pools = pools.bytes;
        if (orders) tell(orders.value(), orders.value().budget);
        if (orders) warn_of_host_memory(orders.value(), inventory);
        if (orders) warn_of_attention(inventory);
        return orders;
    }

private:
    // A plan that nobody gave a budget may leave so much of the device free (--fit-target).
    static constexpr Bytes kPlannersMargin = 1024 * kMiB;
    static constexpr const char* kMoreTiers = "llama-pshard-plan-params plans more tiers";
    static constexpr const char* kIsCounted = "the other model's plan leaves room for it";

    struct Chosen {
        std::vector<TierChoice> choices;
        Bytes budget = 0;
        bool from_registry = false;
        std::optional<DriverMemory> driver{};
    };

    // Packs the choices into the plan's own budget or, if they do not fit, into all that is left.
    Result<Orders> pack(const Chosen& chosen, const Inventory& inventory, Bytes budget) const {
        if (chosen.choices.empty()) {
            return Error{fmt::format("no plan of this model fits {:.0f} MiB of device memory; "
                                     "raise PSHARD_MAX_VRAM_ALLOC or give a smaller -ub or -c",
                                     in_mib(budget)),
                         {}};
        }
        Result<Orders> orders = orders_of(inventory, chosen.choices, chosen.budget, budget);
        if (!orders && chosen.from_registry && !settings_.plan_here) {
            orders = orders_of(inventory, fitted_tiers(chosen, inventory, budget), budget);
        }
        if (orders) {
            orders.value().driver = chosen.driver;
            orders.value().weights = to_text(weights_hash(inventory.weights));
        }
        return orders;
    }

    // Makes each tier that does not fit alone a smaller one, and tells so. The device may compute
    // what the plan has left to the CPU, so that it holds more here than was planned.
    std::vector<TierChoice> fitted_tiers(const Chosen& chosen,
                                         const Inventory& inventory,
                                         Bytes budget) const {
        std::vector<TierChoice> tiers;
        for (const TierChoice& tier : chosen.choices) {
            const TierChoice& less = tiers.emplace_back(fitted(inventory, tier, budget));
            if (less.choice == tier.choice) continue;
            log_(
                fmt::format("warning: the plan up to {}, {}, needs more than {:.0f} MiB here: {} "
                            "takes its place; plan again with --reserve",
                            counted(to_text(tier.key), "token"),
                            text_of(tier),
                            in_mib(budget),
                            text_of(less)));
        }
        return tiers;
    }

    Result<Chosen> choose(const Inventory& inventory, Bytes budget) {
        if (settings_.forced.empty()) return planned(inventory, budget);
        const ForcedStrategy& forced = settings_.forced[calls_++ % settings_.forced.size()];
        if (!forced.n_pinned)
            return Chosen{plan_for_device({inventory, nullptr, budget, 0, {}, forced.strategy}),
                          budget};
        PlanChoice choice;
        choice.strategy = forced.strategy;
        choice.n_pinned = std::min(*forced.n_pinned, inventory.n_layers);
        choice.n_attn_pinned = choice.n_pinned;
        choice.output_on_gpu = true;
        std::vector<TierChoice> choices = same_in_all_tiers(inventory, choice);
        for (TierChoice& tier : choices) tier.options.slice_experts = forced.slice_experts;
        return Chosen{std::move(choices), budget};
    }

    Result<Chosen> planned(const Inventory& inventory, Bytes budget) {
        if (is_projector(inventory)) {
            const std::string advice = fmt::format(
                "it has the {:.0f} MiB that are left; llama-pshard-plan-params --mmproj leaves it "
                "more",
                in_mib(budget));
            return planned_here("the projector (--mmproj)", advice, inventory, budget);
        }
        Result<RegistryMatch> match = from_registry(inventory, budget);
        if (!match) return match.error();
        const Hash64 model = weights_hash(inventory.weights);
        if (!match.value().choices.empty()) {
            if (match.value().planned_for > match.value().budget) leaves_room_ = model;
            log_(fmt::format("plan from {}", match.value().text));
            for (const std::string& warning : match.value().warnings) {
                log_("warning: " + warning);
            }
            for (const TierChoice& tier : match.value().choices) warn_of_stock(tier, true);
            warn_of_unused_room(match.value(), inventory, budget);
            return Chosen{match.value().choices, match.value().budget, true, match.value().driver};
        }
        const bool is_counted = leaves_room_ && *leaves_room_ != model;
        if (!settings_.plan_here && !is_counted) {
            return Error{fmt::format("{}, and PSHARD_PLAN is off; run llama-pshard-plan-params "
                                     "with this run's flags",
                                     match.value().text),
                         {}};
        }
        return is_counted ? planned_here("a second model", kIsCounted, inventory, budget)
                          : planned_here(match.value().text, kMoreTiers, inventory, budget);
    }

    // Warns once for each model, unless other models have or may get some of the budget.
    void warn_of_unused_room(const RegistryMatch& match, const Inventory& inventory, Bytes budget) {
        if (budget < largest_ || names_several_models()) return;
        const bool given = budget < device_.room;
        const std::string warning =
            unused_room(match, {std::min(budget, device_.room), given ? 0 : kPlannersMargin});
        if (warning.empty() || !warned_.insert(weights_hash(inventory.weights)).second) return;
        log_("warning: " + warning);
    }

    // Warns, once for each number, of plans that need more host memory than was available before
    // llama.cpp loaded the model. They run: weights are mapped from the model's file.
    void warn_of_host_memory(const Orders& orders, const Inventory& inventory) {
        Bytes most = 0;
        for (const TierOrder& tier : orders.tiers) {
            most = std::max(most, host_bytes(inventory, tier.placement));
        }
        if (device_.host_memory == 0 || most <= device_.host_memory) return;
        const std::string warning = fmt::format(
            "warning: the plan keeps {:.0f} MiB of weights and cache in host memory, and {:.0f} "
            "were available: what does not fit is read from the disk again and again; give a "
            "smaller -c "
            "or -ctk q8_0 -ctv q8_0, or take a smaller quantization",
            in_mib(most),
            in_mib(device_.host_memory));
        if (told_.insert(warning).second) log_(warning);
    }

    // Warns of caches that llama.cpp reads itself: -fa on, with a V that it does not leave to us.
    void warn_of_attention(const Inventory& inventory) {
        const std::vector<bool> theirs = states_read_elsewhere(inventory, inventory.graphs.back());
        Bytes bytes = 0;
        for (std::size_t i = 0; i < theirs.size(); ++i) {
            if (theirs[i]) bytes += inventory.states[i].bytes;
        }
        if (bytes == 0) return;
        const std::string warning = fmt::format(
            "warning: {} has no kernel for attention over this cache, {:.1f} MiB: llama.cpp "
            "computes it itself, on its CPU, and hands over each graph in pieces; -fa off or "
            "another -ctk and -ctv may be faster",
            inventory.device.name,
            in_mib(bytes));
        if (told_.insert(warning).second) log_(warning);
    }

    // Tells a reason once: a model whose graph was refused is planned again with its next graph.
    void tell_why(const std::string& why) {
        if (why != why_) log_(why);
        why_ = why;
    }

    // The profiles of this machine; notes on others are told once, before the reason they explain.
    FoundProfiles find_profiles() {
        MachineIdentity here = this_machine();
        here.gpu_name = device_.gpu_name;
        FoundProfiles found = find_profile_files(settings_.profiles, here);
        for (const std::string& note : found.notes) {
            if (told_.insert(note).second) log_("note: " + note);
        }
        return found;
    }

    // Fails if a profile is named and is not there or cannot be read.
    Result<Chosen> planned_here(const std::string& why,
                                const std::string& advice,
                                const Inventory& inventory,
                                Bytes budget) {
        for (const std::string& named : {settings_.profiles.cpu, settings_.profiles.gpu}) {
            if (const Status file = check_named_profile(named); !file) return file.error();
        }
        const ProfileNames names = find_profiles().names();
        const Result<MachineProfile> read = read_profile_files(names);
        if (!read) return read.error();
        const std::string missing = missing_prices(read.value());
        const std::string by = missing.empty() ? fmt::format("by {} and {}", names.cpu, names.gpu)
                                               : for_an_assumed_machine(missing);
        tell_why(fmt::format("{}: planning here, {}; {}", why, by, advice));
        const MachineProfile* profile = missing.empty() ? &read.value() : nullptr;
        // By a profile, too, a small batch has a tier of its own: the plan of a whole ubatch may
        // upload all weights for two tokens, where stock llama.cpp uploads nothing.
        planned_ =
            profile == nullptr ? inventory : with_small_batch(inventory, kOffloadMinRows - 1);
        const std::uint32_t depth = tokens_per_sequence(inventory.context) / 2;  // as the planner
        Problem problem{planned_, profile, budget, depth, {}, std::nullopt};
        problem.on_progress = told_each_second("planning", "tiers", progress_);
        std::vector<TierChoice> choices = plan_for_device(problem);
        for (const TierChoice& tier : choices) warn_of_stock(tier, profile != nullptr);
        return Chosen{std::move(choices), budget, false, driver_of(read.value())};
    }

    // Warns where stock llama.cpp alone is faster, or may be.
    void warn_of_stock(const TierChoice& tier, bool is_measured) {
        constexpr double kAsGood = 1.02;
        const bool is_kept =
            tier.key.n_tokens >= kOffloadMinRows && rule_of(tier.choice.strategy).is_static;
        std::string warning;
        if (tier.stock_speed > kAsGood) {
            warning = fmt::format(
                "warning: with batches of up to {} stock llama.cpp alone "
                "should be {:.2f} times as fast: for runs of such batches alone leave --device "
                "PSHARD0 out",
                counted(to_text(tier.key), "token"),
                tier.stock_speed);
        } else if (!is_measured && is_kept) {
            warning = fmt::format(
                "warning: batches of up to {} do not stream, since that "
                "may be slower than stock llama.cpp alone, as may be this plan: "
                "a measurement decides",
                counted(to_text(tier.key), "token"));
        }
        if (!warning.empty() && told_.insert(warning).second) log_(warning);
    }

    // Takes the first registry with plans for this model; else tells why none has. Fails if one
    // cannot be read.
    Result<RegistryMatch> from_registry(const Inventory& inventory, Bytes budget) const {
        RegistryMatch none;
        for (const std::string& path : find_registries(settings_.registry)) {
            Result<RegistryMatch> match = look_into(path, inventory, budget);
            if (!match || !match.value().choices.empty()) return match;
            none.text += (none.text.empty() ? "" : "; ") + match.value().text;
        }
        if (none.text.empty()) none.text = "no registry lies beside the model";
        return none;
    }

    Result<RegistryMatch> look_into(const std::string& path,
                                    const Inventory& inventory,
                                    Bytes budget) const {
        std::error_code unseen;
        if (!std::filesystem::exists(path, unseen) && !unseen) {
            return Error{fmt::format("PSHARD_REGISTRY: there is no file {0}; "
                                     "llama-pshard-plan-params --registry {0} with this run's "
                                     "model and flags writes it",
                                     path),
                         {}};
        }
        const Result<RegistryReading> reading = load_registry(path);
        if (!reading) {
            const std::string text = reading.error().text();
            return Error{settings_.registry.empty() ? text : "PSHARD_REGISTRY: " + text, {}};
        }
        for (const Error& warning : reading.value().warnings) log_(warning.text());
        RegistryMatch match =
            match_registry(reading.value().registry, inventory, budget, settings_.plans);
        match.text = fmt::format("{}: {}", path, match.text);
        return match;
    }

    void tell(const PoolDemand& pools) {
        if (pools.bytes == 0) return;
        const std::string line = "the plan leaves " + text_of(pools);
        if (told_.insert(line).second) log_(line);
    }

    void tell(const Orders& orders, Bytes budget) const {
        if (settings_.replan_every > 0) return;
        for (std::size_t i = 0; i < orders.tiers.size(); ++i) {
            log_(fmt::format("plan up to {}: {}; {:.1f} of {:.1f} MiB",
                             counted(to_text(orders.tiers[i].key), "token"),
                             orders.tiers[i].text,
                             in_mib(orders.arena.tiers[i].end),
                             in_mib(budget)));
        }
    }

    PluginSettings settings_;
    DeviceHere device_;
    Log log_;
    Log progress_;
    Bytes pools_ = 0;    // of all models so far: they share one, which never shrinks
    Bytes largest_ = 0;  // the most that a model was left: all of the budget, if it came first
    Inventory planned_;  // what was last planned here: its choices refer to it
    std::set<Hash64> warned_;              // models, by their weights
    std::set<std::string> told_;           // notes
    std::string why_;                      // why it was last planned here
    std::optional<Hash64> leaves_room_{};  // the model, by its weights, whose plan does
    std::size_t calls_ = 0;
};

}  // namespace

OrderGiver make_order_giver(PluginSettings settings, DeviceHere device, Log log, Log progress) {
    const auto source = std::make_shared<OrderSource>(
        std::move(settings), std::move(device), std::move(log), std::move(progress));
    return
        [source](const Inventory& inventory, Bytes budget) { return (*source)(inventory, budget); };
}

}  // namespace pshard
