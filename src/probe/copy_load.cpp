// How the link is kept busy without taking a core from the CPU.
//
// In:   a device and a direction.
// Out:  a thread that copies, and a count of the bytes that it has copied.
//
//     queue a piece -> sleep for 70 % of its time -> wait for its end -> count it -> next piece
//
// A piece takes about 2 ms: long enough to sleep meanwhile, short enough for a fine count. Its size
// follows from the best rate so far, and the nap from the size.
//
// Trap: a nap that outlasts its copy leaves the link idle, and makes it look slow. So the nap
// follows the best rate that was seen, never the last one.
#include "probe/copy_load.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "probe/sampler.h"

namespace pshard {

namespace {

constexpr Seconds kPieceSeconds = 2e-3;
constexpr Bytes kLeastPiece = 256 * kKiB;  // a piece is a multiple of it
constexpr double kNapShare =
    0.7;  // the share of a copy's time that the thread sleeps before it waits

Result<HostBlock> host_memory(ggml_backend_dev_t device, Bytes bytes) {
    Result<HostBlock> pinned = HostBlock::make(CopySource::Pinned, device, bytes);
    return pinned ? std::move(pinned) : HostBlock::make(CopySource::Pageable, device, bytes);
}

}  // namespace

Result<std::unique_ptr<CopyLoad>> CopyLoad::start(ggml_backend_dev_t device,
                                                  const CopyLoadOptions& options) {
    Result<CopyQueue> queue =
        CopyQueue::open(device, options.bytes, std::min(options.bytes, 16 * kMiB));
    if (!queue) return queue.error();
    Result<HostBlock> memory = host_memory(device, queue.value().capacity());
    if (!memory) return memory.error();
    return std::unique_ptr<CopyLoad>(
        new CopyLoad(std::move(queue).value(), std::move(memory).value(), options.direction));
}

CopyLoad::CopyLoad(CopyQueue queue, HostBlock memory, CopyDirection direction)
    : queue_(std::move(queue)),
      memory_(std::move(memory)),
      direction_(direction),
      piece_(std::min(memory_.bytes(), kMiB)),
      down_next_(direction == CopyDirection::Down) {
    thread_ = std::thread([this] { run(); });
    while (bytes_ == 0) std::this_thread::yield();
}

CopyLoad::~CopyLoad() {
    stop_ = true;
    thread_.join();
}

Seconds CopyLoad::copy_once() {
    if (at_ + piece_ > memory_.bytes()) at_ = 0;
    const Seconds seconds = time_of([this] {
        if (down_next_) {
            queue_.download(memory_.data() + at_, at_, piece_);
        } else {
            queue_.upload(memory_.data() + at_, at_, piece_);
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(nap_));
        queue_.wait();
    });
    at_ += piece_;
    if (direction_ == CopyDirection::Alternating) down_next_ = !down_next_;
    return seconds;
}

void CopyLoad::run() {
    double best_rate = 0;
    while (!stop_) {
        const Bytes piece = piece_;
        const Seconds seconds = copy_once();
        bytes_ += piece;
        best_rate = std::max(best_rate, double(piece) / seconds);
        const auto wanted = static_cast<Bytes>(best_rate * kPieceSeconds);
        piece_ = std::min(align_up(wanted, kLeastPiece), memory_.bytes());
        nap_ = kNapShare * double(piece_) / best_rate;
    }
}

}  // namespace pshard
