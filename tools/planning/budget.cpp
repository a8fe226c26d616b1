// Finds how many bytes of the device the plan may take.
//
// In: the flags, the machine's profile, and the context. Out: a BudgetUse (the total, and what
// others take of it), or a Refusal where no budget is known or nothing is left.
//
//   -mva MiB given   at most device memory - driver's overhead -->  total
//   else             device memory - driver's overhead - --fit-target
//
//     device memory                      overhead that is subtracted
//     --device-memory                    all of it
//     the GPU profile, where the device  all of it
//       is only a model of one
//     what the device calls free; with   the part that a process takes after it has asked; with
//       -mva all that it has               -mva all of it
//
// A driver whose share no GPU profile tells is taken to keep what the reference's does, where -mva
// asks for more of a device than that leaves; without -mva, --fit-target has room for it.
//
//   total   [ draft model, MTP context | projector | reserve | plan              ]
//
// The draft model and the MTP context take what llama.cpp itself counts for them, all on the
// device. A projector's graph is not captured: it gets an allowance.
//
// Traps: a driver takes part of its memory before the device can first be asked, so "free" lacks it
// already. The weights of the MTP context are the model's own, which the plan counts. Sizes are
// rounded to be safe: memory down, overhead up. A -mva is held against all that a device has, not
// against what is free: the program that is planned for may be running on it.
#include "planning/budget.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/fingerprint.h"
#include "capture/gguf_header.h"
#include "plan_flags/drafting.h"
#include "planning/model_source.h"

namespace pshard::tool {
namespace {

// The bytes allowed for a projector's graph besides its tensors; the documentation states them.
constexpr Bytes kProjectorAllowance = 512 * kMiB;

// What a driver whose share nobody has measured is taken to keep: gpu.overhead_mib of
// profiles/reference.
constexpr std::uint64_t kAssumedOverheadMib = 470;

constexpr int kAllLayers = -1;  // of StockRun::n_gpu_layers

// MiB of device memory, as the user says or, where the device cannot be asked, the GPU profile.
std::optional<std::uint64_t> told_memory(const Options& options,
                                         const std::optional<MachineProfile>& profile) {
    if (options.device_memory_mib) return options.device_memory_mib;
    if (!is_model_of_a_device(options.device)) return std::nullopt;
    const bool known = profile && profile->gpu && profile->gpu->memory_mib;
    if (!known) return std::nullopt;
    return static_cast<std::uint64_t>(std::floor(*profile->gpu->memory_mib));
}

// nullopt: nobody has measured it.
std::optional<std::uint64_t> overhead_mib(const std::optional<MachineProfile>& profile) {
    const bool known = profile && profile->gpu && profile->gpu->overhead_mib;
    if (!known) return std::nullopt;
    return static_cast<std::uint64_t>(std::ceil(*profile->gpu->overhead_mib));
}

// MiB of the overhead that a process takes after it has asked how much is free; nullopt: not known.
std::optional<std::uint64_t> overhead_to_come_mib(const std::optional<MachineProfile>& profile) {
    if (!profile || !profile->gpu) return std::nullopt;
    const GpuProfile& gpu = *profile->gpu;
    if (!gpu.overhead_mib || !gpu.overhead_unseen_mib) return std::nullopt;
    const double to_come = *gpu.overhead_mib - *gpu.overhead_unseen_mib;
    return static_cast<std::uint64_t>(std::ceil(std::max(to_come, 0.0)));
}

// Device memory, and the part that cannot be planned with.
struct PlannableMemory {
    std::uint64_t mib = 0;
    std::optional<std::uint64_t> overhead_mib;  // nullopt: not known
    std::string origin;
};

// Whether what is free now counts, or all that the device has.
enum class DevicePart { Free, All };

// nullopt: nobody tells how much there is.
Result<std::optional<PlannableMemory>> plannable_memory(
    const Options& options, const std::optional<MachineProfile>& profile, DevicePart part) {
    const std::optional<std::uint64_t> told = told_memory(options, profile);
    if (told) {
        return std::optional(PlannableMemory{*told, overhead_mib(profile), "device memory"});
    }
    if (is_model_of_a_device(options.device)) return std::optional<PlannableMemory>();
    const Result<DeviceMemory> asked = device_memory_in_child(options.device);
    if (!asked) return asked.error();
    const auto& [free, total] = asked.value();
    if (part == DevicePart::Free) {
        return std::optional(PlannableMemory{
            free / kMiB, overhead_to_come_mib(profile), "free memory of " + options.device});
    }
    if (total == 0) return std::optional<PlannableMemory>();
    return std::optional(
        PlannableMemory{total / kMiB, overhead_mib(profile), "memory of " + options.device});
}

Result<std::variant<BudgetUse, Refusal>> budget_of_mva(const Options& options,
                                                       const Machine& machine) {
    using Total = std::variant<BudgetUse, Refusal>;
    const Result<GivenBudget> given = given_budget(options, machine.profile);
    if (!given) return given.error();
    const auto& [mib, why_lowered] = given.value();
    if (mib == 0) return Total(Refusal{"no budget is left: " + why_lowered});
    return Total(BudgetUse{.total = mib * kMiB,
                           .origin = why_lowered.empty() ? options.typed("-mva") : why_lowered});
}

// The context of what drafts: as long as the run's and with its ubatch; its caches have types of
// their own, and it keeps a row of logits for each sequence, or for each token of its blocks
// (common_base_params_to_speculative of llama.cpp v0.5.0, common/speculative.cpp).
ContextSpec drafting_context(const Options& options, ContextSpec context) {
    context.type_k = options.drafting.type_k;
    context.type_v = options.drafting.type_v;
    const std::uint32_t in_block =
        drafts_in_blocks(options) ? 1 + options.drafting.n_max.value_or(kDefaultDrafted) : 1;
    context.n_outputs = context.n_seq_max * in_block;
    return context;
}

// A text that is another one wherever the file has other keys or tensors.
Result<std::string> mark_of_file(const std::string& path) {
    if (path.empty()) return std::string("none");
    const Result<std::vector<GgufHeader>> files = open_model_files(path);
    if (!files) return files.error();
    std::string mark;
    for (const GgufHeader& file : files.value()) {
        mark += fmt::format(
            "{}:{} ", file.file_bytes(), to_text(text_hash(file.bytes(0, file.tensors_end))));
    }
    return mark;
}

Result<Bytes> projector_bytes(const Options& options) {
    if (options.mmproj.empty()) return Bytes{0};
    const Result<Bytes> tensors = read_projector_bytes(options.mmproj);
    if (!tensors) return tensors.error();
    return tensors.value() + kProjectorAllowance;
}

}  // namespace

// What drafts, as stock llama.cpp counts it: a draft model all on the device, or the context of the
// model's own MTP layers, whose weights are the model's.
Result<Bytes> drafting_bytes(const Options& options, const ContextSpec& context) {
    if (!has_drafting_context(options)) return Bytes{0};
    const bool own_model = !options.draft_model.empty();
    const bool mtp = drafting_of(options).mtp;
    const std::string& model = own_model ? options.draft_model : options.model;
    const Result<ModelFacts> facts = read_facts(model);
    if (!facts) return facts.error();
    StockRun run{.model_path = model,
                 .context = drafting_context(options, context),
                 .n_gpu_layers = kAllLayers,
                 .load_mtp = mtp,
                 .mtp_context = mtp,
                 .device = options.device};
    if (own_model && drafts_with_target(facts.value().architecture)) {
        run.target_path = options.model;
        run.target_context = context;
    }
    const Result<StockMemory> memory = stock_memory_in_child(std::move(run));
    if (!memory) return memory.error();
    const Bytes weights = own_model ? memory.value().model : 0;
    return weights + memory.value().context + memory.value().compute;
}

Result<std::optional<Hash64>> sharers_hash(const Options& options) {
    const std::vector<std::string> kinds = kinds_of_drafting(options);
    const bool alone = options.reserve_mib == 0 && options.mmproj.empty() && kinds.empty() &&
                       options.draft_model.empty();
    if (alone) return std::optional<Hash64>();
    const Result<std::string> draft = mark_of_file(options.draft_model);
    if (!draft) return draft.error();
    const Result<std::string> projector = mark_of_file(options.mmproj);
    if (!projector) return projector.error();
    return std::optional(text_hash(fmt::format("{} {} {} {} {} {} {}",
                                               options.reserve_mib,
                                               fmt::join(kinds, ","),
                                               drafting_of(options).n_max,
                                               options.drafting.type_k,
                                               options.drafting.type_v,
                                               draft.value(),
                                               projector.value())));
}

Result<GivenBudget> given_budget(const Options& options,
                                 const std::optional<MachineProfile>& profile) {
    const GivenBudget as_given{options.max_vram_mib, ""};
    const Result<std::optional<PlannableMemory>> memory =
        plannable_memory(options, profile, DevicePart::All);
    if (!memory) return memory.error();
    if (!memory.value()) return as_given;
    const PlannableMemory& device = *memory.value();
    const std::uint64_t kept = device.overhead_mib.value_or(kAssumedOverheadMib);
    const std::uint64_t left = device.mib - std::min(device.mib, kept);
    if (options.max_vram_mib <= left) return as_given;
    return GivenBudget{
        left,
        fmt::format("{} {} is more than the {} MiB that the driver leaves of {} MiB of {}{}",
                    options.typed("-mva"),
                    options.max_vram_mib,
                    left,
                    device.mib,
                    device.origin,
                    device.overhead_mib
                        ? ""
                        : fmt::format(" (no GPU profile tells its share, {} are assumed: "
                                      "llama-profiler-gpu measures it)",
                                      kept))};
}

std::optional<std::string> budget_note(const Options& options, const BudgetUse& use) {
    if (options.max_vram_mib * kMiB <= use.total) return std::nullopt;
    return fmt::format("the budget is lowered to {:.0f} MiB: {}", in_mib(use.total), use.origin);
}

Result<std::variant<BudgetUse, Refusal>> total_budget(const Options& options,
                                                      const Machine& machine) {
    using Total = std::variant<BudgetUse, Refusal>;
    if (options.max_vram_mib > 0) return budget_of_mva(options, machine);
    const Result<std::optional<PlannableMemory>> memory =
        plannable_memory(options, machine.profile, DevicePart::Free);
    if (!memory) return memory.error();
    if (!memory.value()) {
        return Total(
            Refusal{"no device and no profile: how much device memory there is, is not known; "
                    "give -mva, --device-memory or a GPU profile"});
    }
    const PlannableMemory& device = *memory.value();
    const std::uint64_t kept = device.overhead_mib.value_or(0) + options.fit_target_mib;
    const std::string driver =
        device.overhead_mib
            ? fmt::format("less {} for the driver and {} to stay free",
                          *device.overhead_mib,
                          options.fit_target_mib)
            : fmt::format("less {} to stay free, for the driver, too, whose share is not known",
                          options.fit_target_mib);
    const std::string sum = fmt::format("{} MiB of {}, {}", device.mib, device.origin, driver);
    if (device.mib <= kept) {
        return Total(Refusal{fmt::format(
            "no budget is left: {}; give -mva, a smaller --fit-target or more --device-memory",
            sum)});
    }
    return Total(BudgetUse{.total = (device.mib - kept) * kMiB, .origin = sum});
}

Result<std::variant<BudgetUse, Refusal>> budget_use(const Options& options,
                                                    const Machine& machine,
                                                    const ContextSpec& context) {
    Result<std::variant<BudgetUse, Refusal>> total = total_budget(options, machine);
    if (!total || std::holds_alternative<Refusal>(total.value())) return total;
    BudgetUse use = std::get<BudgetUse>(total.value());
    const Result<Bytes> draft = drafting_bytes(options, context);
    if (!draft) return draft.error();
    const Result<Bytes> mmproj = projector_bytes(options);
    if (!mmproj) return mmproj.error();
    use.draft = draft.value();
    use.mmproj = mmproj.value();
    use.reserve = options.reserve_mib * kMiB;
    const Result<std::optional<Hash64>> sharers = sharers_hash(options);
    if (!sharers) return sharers.error();
    use.sharers = sharers.value();
    if (use.taken() >= use.total) {
        // Smaller ubatches than a named one were not tried.
        const std::string named = options.context.n_ubatch ? options.typed("-ub") + " or " : "";
        const std::string remedy = fmt::format("a smaller {}-c leaves more", named);
        return std::variant<BudgetUse, Refusal>(Refusal{
            fmt::format("nothing is left of the budget of {:.1f} MiB: drafting {:.1f}, projector "
                        "{:.1f}, reserve {:.1f}; {}",
                        in_mib(use.total),
                        in_mib(use.draft),
                        in_mib(use.mmproj),
                        in_mib(use.reserve),
                        use.draft > 0     ? remedy
                        : use.reserve > 0 ? "a smaller --reserve leaves more"
                                          : "a larger -mva has room for both")});
    }
    return std::variant<BudgetUse, Refusal>(std::move(use));
}

}  // namespace pshard::tool
