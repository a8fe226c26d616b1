#include "probe/op_lists.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>

#include "machine/quant.h"
#include "probe/op_graph.h"
#include "support/graph_maker.h"

namespace pshard {
namespace {

std::set<std::string> types_of(const std::vector<OpCase>& cases, const std::string& op) {
    std::set<std::string> types;
    for (const OpCase& c : cases) {
        if (c.op == op) types.insert(c.type);
    }
    return types;
}

std::set<std::string> ops_of(const std::vector<OpCase>& cases) {
    std::set<std::string> ops;
    for (const OpCase& c : cases) ops.insert(c.op);
    return ops;
}

TEST(OpLists, HoldTheTypesThatUsersRun) {
    using testing::IsSupersetOf;
    for (const OpListSize size : {OpListSize::Fast, OpListSize::Full}) {
        for (const auto& list : {cpu_op_list(size), gpu_op_list(size)}) {
            EXPECT_THAT(types_of(list, "MUL_MAT"),
                        IsSupersetOf({"f16",
                                      "bf16",
                                      "q8_0",
                                      "q4_0",
                                      "q4_1",
                                      "q5_0",
                                      "q2_K",
                                      "q3_K",
                                      "q4_K",
                                      "q5_K",
                                      "q6_K",
                                      "iq4_xs",
                                      "iq3_xxs",
                                      "iq2_xxs",
                                      "mxfp4"}));
            EXPECT_THAT(ops_of(list),
                        IsSupersetOf({"MUL_MAT_ID",
                                      "FLASH_ATTN_EXT",
                                      "RMS_NORM",
                                      "ROPE",
                                      "SWIGLU",
                                      "SET_ROWS",
                                      "GET_ROWS",
                                      "SOFT_MAX",
                                      "ARGSORT",
                                      "GATED_DELTA_NET"}));
            EXPECT_TRUE(std::any_of(list.begin(), list.end(), [](const OpCase& c) {
                return c.routing == Routing::Skewed;
            }));
        }
    }
}

TEST(OpLists, NameNoCaseTwiceAndNoTypeThatIsNotKnown) {
    for (const OpListSize size : {OpListSize::Fast, OpListSize::Full}) {
        for (const auto& list : {cpu_op_list(size), gpu_op_list(size)}) {
            std::set<std::string> seen;
            for (const OpCase& c : list) {
                const std::string name =
                    describe(c) + (c.routing == Routing::Skewed ? " skewed" : "");
                EXPECT_TRUE(seen.insert(name).second) << name;
                EXPECT_TRUE(bits_per_weight(c.type) && ggml_type_of(c.type)) << name;
            }
        }
    }
}

TEST(OpLists, KeepTheWantedBatches) {
    const std::vector<OpCase> all = cpu_op_list(OpListSize::Fast);
    EXPECT_EQ(with_batches(all, {}), all);
    const std::vector<OpCase> ones = with_batches(all, {1, 64});
    ASSERT_FALSE(ones.empty());
    EXPECT_LT(ones.size(), all.size());
    for (const OpCase& c : ones) EXPECT_TRUE(c.n_tokens == 1 || c.n_tokens == 64) << describe(c);
}

}  // namespace
}  // namespace pshard
