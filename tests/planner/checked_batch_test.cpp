// The graph that is made for a batch, held against the one that llama.cpp makes.
#include "planner/checked_batch.h"

#include "capture/capture_fixture.h"
#include "search/search.h"
#include "support/testing.h"

namespace pshard {
namespace {

class CheckedBatch : public CaptureTest {
protected:
    // As a server that drafts three tokens has it.
    Inventory captured_tiers(std::vector<std::uint32_t> tiers, std::uint32_t n_seq_max = 1) {
        const std::string path = tiny("qwen35moe", [](ModelShape& model) { model.n_nextn = 1; });
        CaptureRequest request = request_for(path, small_context());
        request.context.n_seq_max = n_seq_max;
        request.context.n_outputs = 4 * n_seq_max;
        request.tiers = std::move(tiers);
        request.load_mtp = true;
        request.n_rs_seq = 3;
        return captured(request);
    }
};

TEST_F(CheckedBatch, TakesAtLeastTheScratchOfTheTrueOne) {
    const Inventory made = with_checked_batch(captured_tiers({1, 512}));
    ASSERT_EQ(made.graphs.size(), 3U);
    EXPECT_EQ(made.graphs[1].n_tokens, 4U);
    EXPECT_EQ(rows_of_logits(made, made.graphs[1]), 4U);
    const Inventory true_one = captured_tiers({4});
    const Bytes ours = all_resident_use(made, made.graphs[1]).scratch;
    const Bytes theirs = all_resident_use(true_one, true_one.graphs[0]).scratch;
    EXPECT_GE(ours, theirs);
    EXPECT_LE(ours, theirs * 4);  // a delta net's value holds its state, which does not grow
}

TEST_F(CheckedBatch, OfSeveralSequencesIsMadeFromOneTokenOfEach) {
    const Inventory made = with_checked_batch(captured_tiers({3, 512}, 3));
    ASSERT_EQ(made.graphs.size(), 3U);
    EXPECT_EQ(made.graphs[1].n_tokens, 12U);
    EXPECT_EQ(rows_of_logits(made, made.graphs[1]), 12U);
}

TEST_F(CheckedBatch, IsNotMadeWhereItIsThereOrNothingDrafts) {
    const Inventory whole = captured_tiers({1, 4, 512});
    EXPECT_EQ(with_checked_batch(whole), whole);
    const std::string path = tiny("llama");
    ContextSpec context = small_context();  // one row
    EXPECT_EQ(with_checked_batch(captured(request_for(path, context))).graphs.size(), 3U);
    context.output_use = OutputUse::Perplexity;  // a row for each token
    EXPECT_EQ(with_checked_batch(captured(request_for(path, context))).graphs.size(), 3U);
}

}  // namespace
}  // namespace pshard
