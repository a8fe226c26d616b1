#include "strategy/number_patterns.h"

#include <random>
#include <regex>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pshard {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::set<int> from_to(int first, int last) {
    std::set<int> numbers;
    for (int n = first; n <= last; ++n) numbers.insert(n);
    return numbers;
}

TEST(NumberPatterns, RunsBecomeClasses) {
    EXPECT_THAT(number_patterns(from_to(8, 31)), ElementsAre("[8-9]", "3[0-1]", "[1-2][0-9]"));
    EXPECT_THAT(number_patterns(from_to(0, 99)), ElementsAre("[0-9]", "[1-9][0-9]"));
    EXPECT_THAT(number_patterns({1, 5, 7}), ElementsAre("[157]"));
    EXPECT_THAT(number_patterns({100}), ElementsAre("100"));
    EXPECT_THAT(number_patterns({}), IsEmpty());
}

// For random sets: each number matches if and only if it is in the set.
TEST(NumberPatterns, MatchExactlyTheNumbers) {
    std::mt19937 random(3);
    for (int round = 0; round < 50; ++round) {
        std::set<int> numbers;
        for (int n = 0; n < 130; ++n) {
            if (random() % 3 != 0) numbers.insert(n);
        }
        const std::regex pattern(fmt::format("^({})$", fmt::join(number_patterns(numbers), "|")));
        for (int n = 0; n < 150; ++n) {
            EXPECT_EQ(std::regex_match(std::to_string(n), pattern), numbers.contains(n)) << n;
        }
    }
}

}  // namespace
}  // namespace pshard
