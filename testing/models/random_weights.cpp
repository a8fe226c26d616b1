#include "models/random_weights.h"

#include <cmath>

#include "base/result.h"

namespace pshard::shapes {
namespace {

// splitmix64. Source: S. Vigna, prng.di.unimi.it/splitmix64.c (public domain). The standard
// library's distributions may differ between machines.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    // The next number in [-1, 1).
    float next() {
        state_ += 0x9E3779B97F4A7C15;
        std::uint64_t x = state_;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        x ^= x >> 31;
        return static_cast<float>(x >> 40) / static_cast<float>(1 << 23) - 1.0f;
    }

private:
    std::uint64_t state_;
};

// FNV-1a of the name, so that a tensor's data does not depend on those before it.
std::uint64_t hash(const std::string& name) {
    std::uint64_t hash = 0xCBF29CE484222325;
    for (const char c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    }
    return hash;
}

// Values are centre +- spread.
struct Range {
    float centre;
    float spread;
};

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

Range range_of(const TensorSpec& spec) {
    if (contains(spec.name, "rope_freqs")) return {1.0f, 0.0f};
    if (contains(spec.name, "ssm_a")) return {-1.0f, 0.5f};
    if (contains(spec.name, "norm") || contains(spec.name, "ssm_d.") ||
        spec.name.ends_with("ssm_d")) {
        return {1.0f, 0.1f};
    }
    if (spec.dims.size() >= 2 && spec.name.ends_with("weight")) {
        return {0.0f, std::sqrt(3.0f / static_cast<float>(spec.dims[0]))};
    }
    return {0.0f, 0.1f};
}

std::vector<float> random_values(const TensorSpec& spec, std::uint64_t seed) {
    std::int64_t n = 1;
    for (const std::int64_t dim : spec.dims) {
        n *= dim;
    }
    const Range range = range_of(spec);
    Random random(seed ^ hash(spec.name));
    std::vector<float> values(static_cast<size_t>(n));
    for (float& value : values) {
        value = range.centre + range.spread * random.next();
    }
    return values;
}

}  // namespace

std::vector<std::byte> random_tensor(const TensorSpec& spec, ggml_type type, std::uint64_t seed) {
    const std::vector<float> values = random_values(spec, seed);
    const std::int64_t n_rows = static_cast<std::int64_t>(values.size()) / spec.dims[0];
    const size_t n_bytes = static_cast<size_t>(n_rows) * ggml_row_size(type, spec.dims[0]);
    std::vector<std::byte> data(n_bytes);
    const size_t n_written =
        ggml_quantize_chunk(type, values.data(), data.data(), 0, n_rows, spec.dims[0], nullptr);
    PSHARD_CHECK(n_written == n_bytes);
    return data;
}

}  // namespace pshard::shapes
