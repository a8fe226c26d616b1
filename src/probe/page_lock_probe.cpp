#include "probe/page_lock_probe.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "probe/sampler.h"

namespace pshard {

namespace {

struct LockedPages {
    AddressSpace mapping;
    PageLock lock;  // must end before the mapping
};

}  // namespace

Result<PageLockCosts> probe_page_lock(ggml_backend_dev_t device, Bytes chunk, Bytes most) {
    std::vector<LockedPages> locked;
    std::vector<Seconds> times;
    PageLockCosts costs;
    while (costs.locked + chunk <= most) {
        Result<AddressSpace> mapping = make_mapping(chunk);
        if (!mapping) break;
        const auto begin = std::chrono::steady_clock::now();
        Result<PageLock> lock = PageLock::make(device, mapping.value().data(), chunk);
        times.push_back(seconds_since(begin));
        if (!lock && locked.empty()) return lock.error();
        costs.refused = !lock;
        if (!lock) break;
        costs.locked += chunk;
        locked.push_back({std::move(mapping).value(), std::move(lock).value()});
    }
    if (locked.empty()) return Error{"the host has too little memory left to page-lock some", {}};
    times.resize(locked.size());
    costs.seconds_per_gib = summarize(times).median * double(kGiB) / double(chunk);
    return costs;
}

}  // namespace pshard
