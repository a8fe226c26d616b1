#include "backend/harness/records.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <fstream>
#include <limits>

#include <fmt/format.h>

namespace pshard::backend_test {
namespace {

constexpr std::uint64_t kMagic = 0x31'53'47'4f'4c'53'50'0aULL;

template <typename T>
void put(std::ostream& out, const T* data, std::size_t n) {
    const auto size = static_cast<std::uint64_t>(n);
    out.write(reinterpret_cast<const char*>(&size), sizeof(size));
    out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(n * sizeof(T)));
}

// False where the file ends too soon.
template <typename Container>
bool get(std::istream& in, Container& container) {
    std::uint64_t size = 0;
    in.read(reinterpret_cast<char*>(&size), sizeof(size));
    if (!in || size > (std::uint64_t{1} << 32)) return false;
    container.resize(static_cast<std::size_t>(size));
    in.read(reinterpret_cast<char*>(container.data()),
            static_cast<std::streamsize>(size * sizeof(container[0])));
    return bool(in);
}

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return std::ranges::equal(a, b, {}, bits_of, bits_of);
}

bool same(const Record& a, const Record& b) {
    return a.name == b.name && a.hashes == b.hashes && same_bits(a.values, b.values);
}

struct SquaredError {
    double squares = 0;  // of the difference
    double total = 0;    // of the expected values
    bool comparable = true;

    void add(const Record& expected, const Record& actual) {
        if (expected.name != actual.name || expected.values.size() != actual.values.size()) {
            comparable = false;
            return;
        }
        for (std::size_t i = 0; i < expected.values.size(); ++i) {
            const double a = double(expected.values[i]);
            const double b = double(actual.values[i]);
            if (std::isfinite(a) != std::isfinite(b)) comparable = false;
            if (!std::isfinite(a) || !std::isfinite(b)) continue;
            squares += (a - b) * (a - b);
            total += a * a;
        }
    }

    [[nodiscard]] double nmse() const {
        if (!comparable) return std::numeric_limits<double>::infinity();
        return total > 0 ? squares / total : squares;
    }
};

std::string first_value_that_differs(const Record& expected, const Record& actual) {
    if (expected.name != actual.name) return fmt::format("is called '{}'", actual.name);
    if (expected.values.size() != actual.values.size()) {
        return fmt::format("has {} values, not {}", actual.values.size(), expected.values.size());
    }
    for (std::size_t i = 0; i < expected.values.size(); ++i) {
        if (bits_of(expected.values[i]) == bits_of(actual.values[i])) continue;
        return fmt::format(
            "value {} is {:.9g}, not {:.9g}", i, actual.values[i], expected.values[i]);
    }
    return "has other bytes";
}

std::string describe(const Records& expected, const Records& actual) {
    const std::size_t n = std::min(expected.size(), actual.size());
    std::size_t n_differ = 0;
    std::size_t first = n;
    for (std::size_t i = 0; i < n; ++i) {
        if (same(expected[i], actual[i])) continue;
        first = std::min(first, i);
        ++n_differ;
    }
    std::string text;
    if (n_differ > 0) {
        text = fmt::format("{} of {} records differ; the first, {} '{}', {}",
                           n_differ,
                           n,
                           first,
                           expected[first].name,
                           first_value_that_differs(expected[first], actual[first]));
    }
    if (expected.size() != actual.size()) {
        text += fmt::format(
            "{}{} records instead of {}", text.empty() ? "" : "; ", actual.size(), expected.size());
    }
    return text;
}

}  // namespace

std::uint64_t hash_of(std::span<const std::uint8_t> bytes) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3ULL;
    return hash;
}

Result<Done> write_records(const Records& records, const std::filesystem::path& path) {
    std::ofstream out(path, std::ios::binary);
    put(out, &kMagic, 1);
    for (const Record& record : records) {
        put(out, record.name.data(), record.name.size());
        put(out, record.values.data(), record.values.size());
        put(out, record.hashes.data(), record.hashes.size());
    }
    out.flush();
    if (!out) return Error{"cannot be written", {path.string()}};
    return Done{};
}

Result<Records> read_records(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<std::uint64_t> magic;
    if (!get(in, magic) || magic != std::vector<std::uint64_t>{kMagic}) {
        return Error{"holds no records", {path.string()}};
    }
    Records records;
    while (in.peek() != std::ifstream::traits_type::eof()) {
        Record record;
        if (!get(in, record.name) || !get(in, record.values) || !get(in, record.hashes)) {
            return Error{"ends within a record", {path.string()}};
        }
        records.push_back(std::move(record));
    }
    return records;
}

Comparison compare(const Records& expected, const Records& actual) {
    Comparison result;
    SquaredError error;
    error.comparable = expected.size() == actual.size();
    for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
        error.add(expected[i], actual[i]);
    }
    result.nmse = error.nmse();
    result.text = describe(expected, actual);
    result.identical = result.text.empty();
    if (!result.identical) result.text += fmt::format("; NMSE {:.2e}", result.nmse);
    return result;
}

}  // namespace pshard::backend_test
