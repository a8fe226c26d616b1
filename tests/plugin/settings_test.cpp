// The environment that steers the backend.
#include "plugin/settings.h"
#include "support/testing.h"

namespace pshard {
namespace {

class Settings : public testing::Test {
protected:
    ~Settings() override {
        for (const char* name :
             {"PSHARD_MAX_VRAM_ALLOC", "PSHARD_FINGERPRINT", "PSHARD_CHECK", "PSHARD_STRATEGY"})
            unsetenv(name);
    }

    static Result<PluginSettings> with(const char* name, const std::string& value) {
        setenv(name, value.c_str(), /*overwrite=*/1);
        return read_settings();
    }
};

// As -mva 0.
TEST_F(Settings, ABudgetOfZeroIsNone) {
    EXPECT_EQ(with("PSHARD_MAX_VRAM_ALLOC", "12").value().budget, 12 * kMiB);
    EXPECT_EQ(with("PSHARD_MAX_VRAM_ALLOC", "0").value().budget, std::nullopt);
    EXPECT_EQ(with("PSHARD_MAX_VRAM_ALLOC", "").value().budget, std::nullopt);
}

TEST_F(Settings, ABudgetOutOfRangeIsRefusedWithTheRange) {
    EXPECT_EQ(with("PSHARD_MAX_VRAM_ALLOC", "4294967295").value().budget, 4294967295 * kMiB);
    for (const char* value : {"4294967296", "99999999999", "-1", "all"}) {
        const Result<PluginSettings> settings = with("PSHARD_MAX_VRAM_ALLOC", value);
        ASSERT_FALSE(settings.ok()) << value;
        EXPECT_THAT(settings.error().text(), HasSubstr("is no number of MiB from 0 to 4294967295"));
    }
}

// As the planner does.
TEST_F(Settings, NoStrategyIsForcedByAuto) {
    EXPECT_THAT(with("PSHARD_STRATEGY", "auto").value().forced, IsEmpty());
    EXPECT_THAT(with("PSHARD_STRATEGY", "0:1;1").value().forced, SizeIs(2));
    EXPECT_FALSE(with("PSHARD_STRATEGY", "auto;0").ok());
}

TEST_F(Settings, PlansAreNamedBySectionAndUbatch) {
    EXPECT_THAT(read_settings().value().plans, IsEmpty());
    EXPECT_THAT(with("PSHARD_FINGERPRINT", "0x00000000000000ab").value().plans,
                ElementsAre(PlanName{Hash64{0xab}}));
    EXPECT_THAT(
        with("PSHARD_FINGERPRINT", "0x00000000000000ab:512,0x0000000000000001").value().plans,
        ElementsAre(PlanName{Hash64{0xab}, 512}, PlanName{Hash64{1}}));
    const std::string of_weights = "0x00000000000000ab:512:0x0000000000000001";
    const std::vector<PlanName> named = with("PSHARD_FINGERPRINT", of_weights).value().plans;
    EXPECT_THAT(named, ElementsAre(PlanName{Hash64{0xab}, 512, Hash64{1}}));
    EXPECT_EQ(to_text(named[0]), of_weights);
    for (const std::string& value : {std::string("ab"),
                                     std::string("0xab"),
                                     std::string("0x00000000000000ab:"),
                                     std::string("0x00000000000000ab:x"),
                                     std::string("0x00000000000000ab:0x0000000000000001"),
                                     of_weights + "2",
                                     of_weights + ":1",
                                     std::string(",")}) {
        const Result<PluginSettings> settings = with("PSHARD_FINGERPRINT", value);
        ASSERT_FALSE(settings.ok()) << value;
        EXPECT_THAT(settings.error().text(), HasSubstr("PSHARD_FINGERPRINT: '"));
    }
}

TEST_F(Settings, ChecksArePlainlyAskedFor) {
    EXPECT_FALSE(read_settings().value().check);
    EXPECT_TRUE(with("PSHARD_CHECK", "1").value().check);
    EXPECT_FALSE(with("PSHARD_CHECK", "0").value().check);
    EXPECT_THAT(with("PSHARD_CHECK", "yes").error().text(), HasSubstr("is neither 0 nor 1"));
}

}  // namespace
}  // namespace pshard
