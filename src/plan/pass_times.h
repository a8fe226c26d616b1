// How long batches of a tier take, one after the other.
//
// A batch reads what all batches before it have left in the KV cache, so each takes longer than the
// one before. The seconds of a pass are known at a few depths, and even between them:
//
//   seconds |            _-*      points: an empty cache, the depth of the plan, a full cache, and
//           |      __*--'         more where the seconds bend: a sliding window is full, or the
//           |  *--'               link no longer bounds the pass
//           +--------------- tokens of each sequence before the batch
//
//   prompt of k batches behind d tokens  =  seconds at d, d + n, ..., d + (k - 1) n
//
// A prompt's batches are cut by the program, so ubatches are compared by such sums; one batch holds
// n tokens of each sequence.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/units.h"

namespace pshard {

struct PassPoint {
    std::uint32_t depth = 0;  // tokens of each sequence in the cache before the pass
    Seconds seconds = 0;

    bool operator==(const PassPoint&) const = default;
};

struct PassTimes {
    std::uint32_t n_tokens = 0;     // of a batch
    std::uint32_t n_seqs = 1;       // that share them
    std::vector<PassPoint> points;  // ascending; the last fills the cache; empty: not predicted

    [[nodiscard]] bool known() const { return !points.empty(); }

    bool operator==(const PassTimes&) const = default;
};

// The seconds of a pass behind so many tokens of each sequence. `times` must be known.
Seconds seconds_behind(const PassTimes& times, double depth);

// The seconds of a prompt in such batches, one after the other, the first behind `depth` tokens of
// each sequence, or behind fewer where the cache would not hold the prompt. `n_tokens`: of all
// sequences. A prompt that is shorter than a batch takes a whole one, a last batch its share.
Seconds prompt_seconds(const PassTimes& times, double n_tokens, double depth);

// The seconds of a pass at a depth; nullopt: not predicted.
using SecondsAt = std::function<std::optional<Seconds>(std::uint32_t depth)>;

// Adds points between those of `known`, which ascend, until what lies between two is even within
// 0.1 %.
std::vector<PassPoint> refined(const std::vector<PassPoint>& known, const SecondsAt& seconds_at);

}  // namespace pshard
