// What PSHARD0 does where neither a registry nor a profile tells it anything.

#include "build_paths.h"
#include "plugin/order_source.h"
#include "search/search.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// Half of its 24 layers of 8 MiB fit.
class FirstStart : public testing::Test {
protected:
    Result<Orders> tried(const std::vector<std::uint32_t>& tiers,
                         int n_layers = 24,
                         Bytes share = 2) {
        const Inventory inventory = toy_model(
            {.n_layers = n_layers, .n_embd = 512, .n_ff = 2048, .n_cells = 512, .tiers = tiers});
        const Bytes budget = all_resident_bytes(inventory, inventory.graphs.back()) / share;
        const OrderGiver source = make_order_giver(
            settings_, {budget}, [&](std::string_view line) { log_.emplace_back(line); });
        return source(inventory, budget);
    }

    Orders orders(const std::vector<std::uint32_t>& tiers, int n_layers = 24, Bytes share = 2) {
        return test::value_of(tried(tiers, n_layers, share));
    }

    std::string refusal(const std::vector<std::uint32_t>& tiers) {
        const Result<Orders> orders = tried(tiers);
        return orders ? "none" : orders.error().text();
    }

    // "31: streams" and the like.
    std::vector<std::string> told(const std::vector<std::uint32_t>& tiers) {
        std::vector<std::string> all;
        for (const TierOrder& tier : orders(tiers).tiers) {
            const bool streams = std::ranges::any_of(tier.placement.weights, is_streamed);
            all.push_back(to_text(tier.key) + (streams ? ": streams" : ": static"));
        }
        return all;
    }

    PluginSettings settings_;
    std::vector<std::string> log_;
};

// llama.cpp has reserved the graphs of one token and of a ubatch; batches between them come later.
TEST_F(FirstStart, KeepsBatchesBelow32TokensFromStreaming) {
    EXPECT_THAT(told({1, 512}), ElementsAre("1: static", "31: static", "512: streams"));
    EXPECT_THAT(told({1, 31, 512}), ElementsAre("1: static", "31: static", "512: streams"));
    EXPECT_THAT(told({1, 31}), ElementsAre("1: static", "31: static"));
    EXPECT_THAT(told({1, 32}), ElementsAre("1: static", "31: static", "32: streams"));
    EXPECT_THAT(told({64}), ElementsAre("31: static", "64: streams"));
}

// A whole ubatch streams; 2 to 31 tokens have a tier that no profile's price would leave to it.
TEST_F(FirstStart, ByAProfileSmallBatchesHaveATier) {
    settings_.profiles.cpu = PSHARD_SOURCE_DIR "/profiles/reference/cpu_profile.txt";
    settings_.profiles.gpu = PSHARD_SOURCE_DIR "/profiles/reference/gpu_profile.txt";
    EXPECT_THAT(told({1, 512}), ElementsAre(StartsWith("1:"), StartsWith("31:"), "512: streams"));
    EXPECT_EQ(told({1, 16, 512}).size(), 3U);
}

TEST_F(FirstStart, RefusesAProfileThatIsNamedAndNotThere) {
    settings_.profiles.cpu = "nope";
    EXPECT_EQ(refusal({1, 512}), "nope: there is no such profile");
}

TEST_F(FirstStart, TellsWhatIsAssumedAndWhatAMeasurementBrings) {
    orders({1, 512});
    EXPECT_THAT(log_,
                Contains(AllOf(HasSubstr("no profile of CPU and GPU"),
                               HasSubstr("a link of 12 GB/s (4 from memory that is not "
                                         "page-locked), a GPU of 20 TFLOP/s and 360 GB/s, a CPU "
                                         "of 400 GFLOP/s and 45 GB/s"),
                               HasSubstr("llama-profiler-cpu measure this machine"),
                               HasSubstr("its speed is told"))));
    EXPECT_THAT(log_, testing::Each(testing::Not(HasSubstr("t/s expected"))));
}

// Two slots are a third of 6 layers, all that there is room for: stock pins one, and uploads less.
TEST_F(FirstStart, WarnsWhereStreamingWouldBeSlowerThanStock) {
    for (const TierOrder& tier : orders({1, 512}, 6, 3).tiers) {
        EXPECT_FALSE(std::ranges::any_of(tier.placement.weights, is_streamed));
    }
    EXPECT_THAT(log_, Contains(HasSubstr("warning: batches of up to 512 tokens do not stream")));
    log_.clear();
    orders({1, 512}, 24);
    EXPECT_THAT(log_, testing::Each(testing::Not(HasSubstr("warning"))));
}

}  // namespace
}  // namespace pshard
