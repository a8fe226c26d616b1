// What a run of a model brought forth, in order: logits, embeddings, hashes. Two runs that must be
// the same are compared bit for bit; how far apart they are is for the message, and for the few
// comparisons where the kernels differ.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace pshard::backend_test {

struct Record {
    std::string name;                     // "decode 17 seq 0"
    std::vector<float> values{};          // logits, embeddings
    std::vector<std::uint64_t> hashes{};  // of what is too large to keep: states, node outputs

    bool operator==(const Record&) const = default;
};

using Records = std::vector<Record>;

// FNV-1a.
std::uint64_t hash_of(std::span<const std::uint8_t> bytes);

Result<Done> write_records(const Records& records, const std::filesystem::path& path);
Result<Records> read_records(const std::filesystem::path& path);

struct Comparison {
    bool identical = false;  // every bit of every value; a NaN equals the same NaN
    double nmse = 0;         // mean squared error over mean square, of the values; infinite if a
                             // record is missing, has another size, or is not finite in one
    std::string text{};      // one line: how many records differ, the first, by how much
};

Comparison compare(const Records& expected, const Records& actual);

}  // namespace pshard::backend_test
