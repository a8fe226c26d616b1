#include "runtime/pass_cache.h"

#include <ggml-impl.h>

#include <algorithm>
#include <utility>

namespace pshard {
namespace {

constexpr std::size_t kMaxPasses = 16;

}  // namespace

Pass* PassCache::find(const ggml_cgraph& graph, std::optional<std::size_t> tier) {
    if (graph.uid == 0) return nullptr;
    const auto is_of_tier = [&](const auto& pass) { return !tier || pass->tier == *tier; };
    auto found = std::ranges::find_if(passes_, [&](const auto& pass) {
        return pass->uid == graph.uid && pass->first == graph.nodes[0] &&
               pass->n_nodes == graph.n_nodes && is_of_tier(pass);
    });
    if (found == passes_.end()) {
        found = std::ranges::find_if(passes_, [&](const auto& pass) {
            return is_of_tier(pass) && pass->image.shows(graph);
        });
    }
    if (found == passes_.end()) return nullptr;
    (*found)->uid = graph.uid;
    std::rotate(passes_.begin(), found, std::next(found));
    return passes_.front().get();
}

Pass& PassCache::add(std::unique_ptr<Pass> pass) {
    passes_.insert(passes_.begin(), std::move(pass));
    return *passes_.front();
}

void PassCache::trim() {
    if (passes_.size() > kMaxPasses) passes_.pop_back();
}

void PassCache::clear() {
    runner_.let_go();
    passes_.clear();
}

}  // namespace pshard
