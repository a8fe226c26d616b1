#include "runtime/piece_clock.h"

#include <algorithm>

namespace pshard {

bool PieceClock::continues(const Piece& piece) const {
    if (!first_ || first_->owner != piece.owner) return false;
    if (piece.states.empty()) return true;  // it may have no tokens, either
    const bool again =
        std::ranges::any_of(piece.states, [&](int state) { return written_.contains(state); });
    return !again && first_->tier == piece.tier && first_->n_tokens == piece.n_tokens;
}

std::optional<TimedPasses> PieceClock::taken(std::size_t n_states) const {
    if (!first_ || !ended_ || written_.size() * 2 < n_states) return std::nullopt;
    const std::chrono::duration<double> took = *ended_ - begun_;
    return TimedPasses{first_->tier, 1, first_->n_tokens, took.count()};
}

std::optional<TimedPasses> PieceClock::begin(const Piece& piece, std::size_t n_states, Time now) {
    std::optional<TimedPasses> before;
    if (!continues(piece)) {
        const bool is_same_model = first_ && first_->owner == piece.owner;
        if (is_same_model) before = taken(n_states);
        first_.reset();
        written_.clear();
        if (piece.states.empty()) return before;  // no graph begins so
        first_ = piece;
        begun_ = now;
    }
    written_.insert(piece.states.begin(), piece.states.end());
    ended_.reset();
    return before;
}

void PieceClock::end(Time now) { ended_ = now; }

}  // namespace pshard
