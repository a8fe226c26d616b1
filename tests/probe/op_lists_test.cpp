#include "probe/op_lists.h"

#include <set>

#include <gtest/gtest.h>

#include "machine/quant.h"
#include "ops/op_table.h"
#include "probe/op_graph.h"

namespace pshard {
namespace {

constexpr auto kTypes = {"f16",
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
                         "mxfp4"};

TEST(OpLists, HoldTheTypesThatUsersRun) {
    for (const OpListSize size : {OpListSize::Fast, OpListSize::Full}) {
        for (const auto& list : {cpu_op_list(size), gpu_op_list(size)}) {
            std::set<std::string> ops;
            std::set<std::string> types;
            bool skewed = false;
            for (const OpCase& c : list) {
                ops.insert(c.op);
                if (c.op == "MUL_MAT") types.insert(c.type);
                skewed = skewed || c.routing == Routing::Skewed;
            }
            for (const char* type : kTypes) EXPECT_TRUE(types.contains(type)) << type;
            for (const OpRule& rule : op_rules()) {
                const bool listed = rule.standard.columns > 0 || is_matmul(rule.name) ||
                                    rule.family == OpFamily::Attention;
                EXPECT_EQ(ops.contains(std::string(rule.name)), listed) << rule.name;
            }
            for (const char* op :
                 {"RMS_NORM", "ROPE", "SWIGLU", "SET_ROWS", "GET_ROWS", "ARGSORT"}) {
                EXPECT_TRUE(ops.contains(op)) << op;
            }
            EXPECT_TRUE(ops.contains("GATED_DELTA_NET") && ops.contains("SOFT_MAX"));
            EXPECT_TRUE(skewed);
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
