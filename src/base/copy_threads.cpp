#include "base/copy_threads.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <thread>

namespace pshard {
namespace {

constexpr std::size_t kMost = 4;

// Less is copied sooner than another thread wakes.
constexpr Bytes kLeastShare = 256 * kKiB;

std::size_t cores() { return std::max(1U, std::thread::hardware_concurrency()); }

}  // namespace

std::size_t CopyThreads::beside_others() { return std::clamp<std::size_t>(cores() / 4, 1, kMost); }

std::size_t CopyThreads::alone() { return std::min(cores(), kMost); }

CopyThreads::CopyThreads(std::size_t n) {
    try {
        while (others_.size() + 1 < n) others_.push_back(std::make_unique<Worker>());
    } catch (const std::system_error&) {  // those that have started do
        return;
    }
}

void CopyThreads::copy(std::byte* to, const std::byte* from, Bytes bytes) {
    if (bytes == 0) return;  // there may be no address, which memcpy must not see
    const std::size_t n =
        std::min<std::size_t>(others_.size() + 1, std::max<Bytes>(1, bytes / kLeastShare));
    const Bytes share = bytes / n;
    std::vector<Worker::Ticket> tickets;
    for (std::size_t i = 1; i < n; ++i) {
        tickets.push_back(others_[i - 1]->post(
            [=] { std::memcpy(to + (i - 1) * share, from + (i - 1) * share, share); }));
    }
    const Bytes done = (n - 1) * share;
    std::memcpy(to + done, from + done, bytes - done);
    for (std::size_t i = 1; i < n; ++i) others_[i - 1]->wait_for(tickets[i - 1]);
}

}  // namespace pshard
