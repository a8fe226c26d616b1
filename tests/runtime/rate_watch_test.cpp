// The line on measured and predicted rates.
#include "runtime/rate_watch.h"

#include "support/testing.h"

namespace pshard {
namespace {

constexpr const char* kApart = "more than 1.5 times apart";

// Tiers of 1 and 512 tokens: 10 t/s predicted (8 with a full cache), and 512 a second.
// The pass that warms up is over.
RateWatch watch() {
    RateWatch watch({{{1}, {10, 8}}, {{512}, {512, 0}}});
    watch.add({0, 1, 1, 60});
    return watch;
}

// The passes of tier 0 after its first, which took a minute.
std::string told_of(std::uint32_t n_tokens, Seconds seconds) {
    RateWatch watch = pshard::watch();
    watch.add({0, 1, 1, 60});
    watch.add({0, n_tokens, n_tokens, seconds});
    return watch.news(/*at_end=*/false);
}

TEST(RateWatch, TellsOnceAfter64Tokens) {
    EXPECT_EQ(told_of(63, 6.3), "");
    EXPECT_EQ(told_of(64, 6.4), "measured 10.00 t/s up to 1 token (10.00 predicted)");
    RateWatch watch = pshard::watch();
    watch.add({0, 80, 80, 8});
    EXPECT_EQ(watch.news(false), "");  // they came first
    watch.add({1, 2, 1024, 2});
    EXPECT_EQ(watch.news(true),
              "measured 10.00 t/s up to 1 token (10.00 predicted), 512 t/s up to 512 tokens (512 "
              "predicted)");
    EXPECT_EQ(watch.news(true), "");
}

TEST(RateWatch, HasNothingToTellOfNothing) { EXPECT_EQ(watch().news(true), ""); }

TEST(RateWatch, HintsWhereTheRatesAreFarApart) {
    EXPECT_THAT(told_of(64, 64 / 16.0), HasSubstr(kApart));
    EXPECT_THAT(told_of(64, 64 / 14.0), Not(HasSubstr(kApart)));
    EXPECT_THAT(told_of(64, 64 / 6.0), Not(HasSubstr(kApart)));  // 1.33 from a full cache's
    EXPECT_THAT(told_of(64, 64 / 5.0), HasSubstr(kApart));
}

// 100 tokens in the time of 512.
TEST(RateWatch, HoldsASmallBatchAgainstTheTimeOfItsTier) {
    for (const auto& [seconds, apart] : {std::pair{1.0, false}, {2.0, true}, {0.1, false}}) {
        RateWatch watch = pshard::watch();
        watch.add({1, 1, 100, seconds});
        const std::string line = watch.news(true);
        EXPECT_THAT(line, HasSubstr("up to 512 tokens (100 predicted)"));
        EXPECT_EQ(line.find(kApart) != std::string::npos, apart) << line;
    }
}

TEST(RateWatch, SaysWhereNothingWasPredicted) {
    RateWatch watch(std::vector<RateWatch::Tier>{{{4}, {}}});
    watch.add({0, 1, 4, 9});
    watch.add({0, 1, 4, 1});
    EXPECT_THAT(watch.news(true), AllOf(HasSubstr("4.00 t/s"), EndsWith("(none predicted)")));
}

}  // namespace
}  // namespace pshard
