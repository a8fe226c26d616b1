#include "plan_flags/bench_contexts.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include <fmt/format.h>

namespace pshard::tool {
namespace {

constexpr std::uint32_t kSmallestCap = 16;
constexpr std::uint64_t kMaxTokens = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMaxValues = 1000;
constexpr std::size_t kMaxContexts = 100;  // each is planned alone, in a tenth of a second or more

// Reads the number at the front of `text` and cuts it off.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value > kMaxTokens) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

bool take_char(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(1);
    return true;
}

struct Range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    bool multiplies = false;
    std::uint64_t step = 1;
};

std::optional<Range> take_range(std::string_view& text) {
    const auto first = take_number(text);
    if (!first) return std::nullopt;
    Range range{*first, *first};
    if (!take_char(text, '-')) return range;
    const auto last = take_number(text);
    if (!last) return std::nullopt;
    range.last = *last;
    range.multiplies = take_char(text, '*');
    if (!range.multiplies && !take_char(text, '+')) return range;
    const auto step = take_number(text);
    if (!step) return std::nullopt;
    range.step = *step;
    return range;
}

// Adds the values of a range. Fails if it is empty, never ends, or holds more than anyone measures.
Status add_values(const Range& range, std::vector<std::uint32_t>& values) {
    if (range.first > range.last) {
        return Error{fmt::format("its range {}-{} ends before it begins", range.first, range.last),
                     {}};
    }
    for (std::uint64_t value = range.first; value <= range.last;) {
        if (values.size() >= kMaxValues) {
            return Error{fmt::format("it holds more than {} values", kMaxValues), {}};
        }
        values.push_back(static_cast<std::uint32_t>(value));
        const std::uint64_t next = range.multiplies ? value * range.step : value + range.step;
        if (next <= value) return Error{"its range never ends", {}};
        value = next;
    }
    return Done{};
}

Error bad_range(const std::string& text, const std::string& reason) {
    return {
        fmt::format(
            "'{}' is no list of numbers and ranges FIRST[-LAST[+STEP|*FACTOR]]: {}", text, reason),
        {}};
}

class Contexts {
public:
    Status add(std::uint64_t n_prompt, std::uint64_t n_gen, std::uint64_t depth) {
        const std::uint64_t n_ctx = n_prompt + n_gen + depth;
        if (n_prompt + n_gen == 0) return Done{};  // no test at all
        if (n_ctx > kMaxTokens) {
            return Error{fmt::format("a context of {} tokens is too large", n_ctx), {}};
        }
        const auto cap = std::max(static_cast<std::uint32_t>(n_prompt), kSmallestCap);
        for (BenchContext& known : contexts_) {
            if (known.n_ctx != n_ctx) continue;
            known.tier_cap = std::max(known.tier_cap, cap);
            return Done{};
        }
        contexts_.push_back({static_cast<std::uint32_t>(n_ctx), cap});
        return Done{};
    }

    std::vector<BenchContext> take() { return std::move(contexts_); }

private:
    std::vector<BenchContext> contexts_;
};

struct Test {
    std::uint32_t n_prompt = 0;
    std::uint32_t n_gen = 0;
};

// "2048,200"
Result<Test> read_pair(const std::string& text) {
    std::string_view rest = text;
    const auto n_prompt = take_number(rest);
    const bool comma = n_prompt && take_char(rest, ',');
    const auto n_gen = comma ? take_number(rest) : std::nullopt;
    if (!n_gen || !rest.empty()) {
        return Error{fmt::format("-pg: '{}' is no pair of numbers such as 512,128", text), {}};
    }
    return Test{static_cast<std::uint32_t>(*n_prompt), static_cast<std::uint32_t>(*n_gen)};
}

Result<std::vector<Test>> tests_of(const BenchOptions& options) {
    const Result<std::vector<std::uint32_t>> prompts =
        read_ranges(options.prompts.empty() ? "512" : options.prompts);
    if (!prompts) return prompts.error();
    const Result<std::vector<std::uint32_t>> gens =
        read_ranges(options.generations.empty() ? "128" : options.generations);
    if (!gens) return gens.error();
    std::vector<Test> tests;
    for (const std::uint32_t n_prompt : prompts.value()) tests.push_back({n_prompt, 0});
    for (const std::uint32_t n_gen : gens.value()) tests.push_back({0, n_gen});
    for (const std::string& pair : options.prompt_generations) {
        const Result<Test> test = read_pair(pair);
        if (!test) return test.error();
        tests.push_back(test.value());
    }
    return tests;
}

}  // namespace

Result<std::vector<std::uint32_t>> read_ranges(const std::string& text) {
    std::vector<std::uint32_t> values;
    std::string_view rest = text;
    do {
        const std::optional<Range> range = take_range(rest);
        if (!range) return bad_range(text, fmt::format("'{}' is no number", rest));
        if (Status added = add_values(*range, values); !added) {
            return bad_range(text, added.error().message);
        }
    } while (take_char(rest, ','));
    if (!rest.empty()) return bad_range(text, fmt::format("'{}' does not belong there", rest));
    return values;
}

Result<std::vector<BenchContext>> bench_contexts(const BenchOptions& options) {
    const Result<std::vector<Test>> tests = tests_of(options);
    if (!tests) return tests.error();
    const Result<std::vector<std::uint32_t>> depths =
        read_ranges(options.depths.empty() ? "0" : options.depths);
    if (!depths) return depths.error();
    Contexts contexts;
    for (const std::uint32_t depth : depths.value()) {
        for (const Test& test : tests.value()) {
            const Status added = contexts.add(test.n_prompt, test.n_gen, depth);
            if (!added) return added.error();
        }
    }
    std::vector<BenchContext> all = contexts.take();
    if (all.empty()) return Error{"--bench-plan: these tests use no context at all", {}};
    if (all.size() > kMaxContexts) {
        return Error{fmt::format("-p, -n, -pg and -d make {} contexts, each of which has a plan of "
                                 "its own: give fewer tests, of at most {}",
                                 all.size(),
                                 kMaxContexts),
                     {}};
    }
    return all;
}

}  // namespace pshard::tool
