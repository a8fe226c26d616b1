// GoogleTest, its usual matchers, and what of the standard library nearly every test uses: one
// include for all of it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ostream>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/result.h"

namespace pshard {

using testing::AllOf;
using testing::Combine;
using testing::Contains;
using testing::ContainsRegex;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using testing::Values;
using testing::ValuesIn;

namespace test {

// `text` as a part of a test's name: letters, digits and '_'.
inline std::string test_name(std::string text) {
    std::ranges::replace_if(
        text, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return text;
}

// What there must be; else the test fails with the error, and ends.
template <typename T>
T value_of(Result<T> result) {
    EXPECT_TRUE(result.ok()) << result.error().text();
    return std::move(result).value();
}

inline std::string printed(const std::string& text) { return text; }

inline std::string printed(const char* text) { return text; }

template <typename Parameter>
std::string printed(const Parameter& parameter) {
    return testing::PrintToString(parameter);  // by PrintTo
}

template <typename... Parameters>
std::string printed(const std::tuple<Parameters...>& parameters) {
    const auto all = [](const Parameters&... one) {
        return std::vector<std::string>{printed(one)...};
    };
    return fmt::format("{}", fmt::join(std::apply(all, parameters), "_"));
}

// For INSTANTIATE_TEST_SUITE_P: names each test by what is printed of its parameter.
struct NamedByParameter {
    template <typename Parameter>
    std::string operator()(const testing::TestParamInfo<Parameter>& info) const {
        return test_name(printed(info.param));
    }
};

}  // namespace test
}  // namespace pshard
