#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/atomic_file.h"
#include "capture/capture.h"
#include "common/child.h"
#include "common/folders.h"
#include "inventory/inventory_text.h"
#include "probe/op_lists.h"
#include "profiler/measure.h"

namespace pshard::tool {
namespace {

constexpr std::size_t kMaxInventoryBytes = 512 * kMiB;
constexpr std::uint32_t kContext = 8192;  // attention is measured at its end

std::vector<std::uint32_t> tiers_of(const ProfilerOptions& options) {
    std::vector<std::uint32_t> tiers(options.batches.begin(), options.batches.end());
    if (tiers.empty()) tiers = {1, 16, 512};
    if (options.batches.empty() && options.kind == ProfileKind::Gpu) tiers.push_back(2048);
    std::sort(tiers.begin(), tiers.end());
    tiers.erase(std::unique(tiers.begin(), tiers.end()), tiers.end());
    return tiers;
}

Result<std::string> capture_text(const ProfilerOptions& options) {
    CaptureRequest request;
    request.model_path = options.model;
    request.tiers = tiers_of(options);
    request.context.n_ctx = std::max(kContext, request.tiers.back());
    request.context.n_ubatch = request.tiers.back();
    request.context.n_batch = request.tiers.back();
    request.context.flash_attention = FlashAttention::On;
    request.backend_dir = ggml_folder();
    const Result<Inventory> inventory = capture_inventory(request);
    if (!inventory) return inventory.error();
    return to_text(inventory.value());
}

Result<Inventory> captured(const ProfilerOptions& options) {
    const Result<std::string> text = run_in_child(
        {fmt::format("reading {}", options.model), [&] { return capture_text(options); }});
    if (!text) return text.error();
    return inventory_from_text(text.value(), "captured inventory");
}

Result<Inventory> saved(const std::string& path) {
    const Result<std::optional<std::string>> text = read_file(path, kMaxInventoryBytes);
    if (!text) return text.error();
    if (!text.value()) return Error{"there is no such inventory", {path}};
    return inventory_from_text(*text.value(), path);
}

std::vector<OpCase> listed(const ProfilerOptions& options) {
    const OpListSize size = options.full ? OpListSize::Full : OpListSize::Fast;
    return options.kind == ProfileKind::Cpu ? cpu_op_list(size) : gpu_op_list(size);
}

Result<std::vector<OpCase>> all_cases(const ProfilerOptions& options) {
    if (options.model.empty() && options.inventory.empty()) return listed(options);
    const Result<Inventory> inventory =
        options.model.empty() ? saved(options.inventory) : captured(options);
    if (!inventory) return inventory.error();
    return model_op_list(inventory.value());
}

}  // namespace

Result<std::vector<OpCase>> cases_of(const ProfilerOptions& options) {
    Result<std::vector<OpCase>> cases = all_cases(options);
    if (!cases) return cases;
    cases = with_batches(std::move(cases).value(), options.batches);
    if (!cases.value().empty()) return cases;
    return Error{fmt::format("no op of the list has a batch of {} tokens",
                             fmt::join(options.batches, " or ")),
                 {}};
}

}  // namespace pshard::tool
