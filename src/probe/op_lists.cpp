// The lists of cases that a profiler times when no model says which.
//
// In:   a processor, and how long the list may be.
// Out:  cases, the most telling first.
//
//     Fast, first    the common types at 1 and 512 tokens, attention, small ops, experts
//           then     batches between, other sizes of weights, deeper caches
//           last     rarer types, skewed routes
//     Full           every type at every batch and shape, by kind of op
//
// A profile is read by the nearest quant, batch and size (cost/rate_table.h). So a few cases along
// each axis tell more than many at one place.
//
// Trap: the order counts. A time limit cuts off the end of a list, and what is left must price any
// model.
#include "probe/op_lists.h"

#include <algorithm>
#include <array>
#include <string>

#include "ops/op_table.h"

namespace pshard {

namespace {

using Batches = std::vector<std::int64_t>;
using Types = std::vector<const char*>;

// The types that users have most, the most frequent first. (Routers are f32.)
const Types& common_types() {
    static const Types types = {"q4_K", "q6_K", "q8_0", "q4_0", "f16", "mxfp4"};
    return types;
}

const Types& other_types() {
    static const Types types = {"q5_K",
                                "q3_K",
                                "iq4_xs",
                                "q2_K",
                                "bf16",
                                "iq3_xxs",
                                "f32",
                                "iq2_xxs",
                                "q5_0",
                                "q4_1",
                                "iq4_nl",
                                "iq3_s",
                                "iq2_s",
                                "q5_1"};
    return types;
}

// The shape of a weight, [n, k].
struct WeightShape {
    std::int64_t n;
    std::int64_t k;
};

OpCase standard_case(const OpRule& rule, std::int64_t tokens) {
    const auto [columns, heads, type] = rule.standard;
    OpCase c{.op = std::string(rule.name), .type = std::string(type), .n_tokens = tokens};
    c.shape = {columns, heads, 1, 1};
    c.shape[heads == 1 ? 1 : 2] = tokens;
    return c;
}

class Lister {
public:
    std::vector<OpCase> take() { return std::move(cases_); }

    void matmul(const Types& types, const Batches& batches, const WeightShape& shape) {
        for (const std::int64_t tokens : batches) {
            for (const char* type : types) {
                cases_.push_back({.op = "MUL_MAT",
                                  .type = type,
                                  .n_tokens = tokens,
                                  .n = shape.n,
                                  .k = shape.k});
            }
        }
    }

    void experts(const Types& types, const Batches& batches, const OpCase& shape) {
        for (const std::int64_t tokens : batches) {
            for (const char* type : types) {
                OpCase c = shape;
                c.op = "MUL_MAT_ID";
                c.type = type;
                c.n_tokens = tokens;
                cases_.push_back(std::move(c));
            }
        }
    }

    void attention(const Batches& batches, const Batches& cells, const OpCase& shape) {
        for (const std::int64_t tokens : batches) {
            for (const std::int64_t n_cells : cells) {
                OpCase c = shape;
                c.op = "FLASH_ATTN_EXT";
                c.n_tokens = tokens;
                c.n_cells = n_cells;
                cases_.push_back(std::move(c));
            }
        }
    }

    // The ops between the products of a layer, at widths of today's models (ops/op_table.h).
    void small_ops(const Batches& batches) {
        for (const OpRule& rule : op_rules()) {
            if (rule.standard.columns == 0) continue;
            for (const std::int64_t tokens : batches) cases_.push_back(standard_case(rule, tokens));
        }
    }

private:
    std::vector<OpCase> cases_{};
};

const OpCase kSmallExperts{.n = 768, .k = 2048, .n_experts = 128, .n_used = 8};
const OpCase kFewExperts{.n = 768, .k = 2048, .n_experts = 32, .n_used = 4};
const OpCase kLargeExperts{.n = 14336, .k = 4096, .n_experts = 8, .n_used = 2};

OpCase skewed(OpCase shape) {
    shape.routing = Routing::Skewed;
    return shape;
}

OpCase heads(const char* type, std::int64_t n_heads, std::int64_t n_heads_kv, std::int64_t dim) {
    return {.type = type, .n_heads = n_heads, .n_heads_kv = n_heads_kv, .head_dim = dim};
}

std::vector<OpCase> cpu_fast() {
    Lister list;
    list.matmul(common_types(), {1, 512}, {2048, 2048});
    list.attention({1, 512}, {512, 4096}, heads("f16", 32, 8, 128));
    list.small_ops({1, 512});
    list.experts({"q4_K", "q6_K", "mxfp4"}, {1, 128}, kSmallExperts);
    list.experts({"q4_K", "q6_K", "q8_0", "mxfp4", "q4_0"}, {512}, kFewExperts);
    list.matmul({"f32"}, {1, 512}, {128, 2048});
    list.matmul(common_types(), {4, 16, 64}, {2048, 2048});
    list.matmul(common_types(), {1}, {4096, 4096});
    list.matmul(common_types(), {1}, {512, 2048});
    list.matmul(other_types(), {1, 64}, {2048, 2048});
    list.attention({1}, {16384}, heads("f16", 32, 8, 128));
    list.attention({16, 64}, {4096}, heads("f16", 32, 8, 128));
    list.attention({1, 512}, {1024}, heads("q8_0", 32, 8, 128));
    list.attention({1, 512}, {1024}, heads("f16", 16, 8, 64));
    list.experts({"q8_0", "q4_0", "iq3_xxs"}, {1, 128}, kSmallExperts);
    list.experts({"q4_K"}, {16}, kSmallExperts);
    list.experts({"q4_K"}, {16, 128}, skewed(kSmallExperts));
    list.matmul(other_types(), {4, 512}, {2048, 1024});
    return list.take();
}

Types all_types() {
    Types types = common_types();
    types.insert(types.end(), other_types().begin(), other_types().end());
    return types;
}

constexpr std::array kLayerShapes = {WeightShape{512, 2048},
                                     WeightShape{2048, 2048},
                                     WeightShape{4096, 4096},
                                     WeightShape{14336, 4096},
                                     WeightShape{4096, 14336},
                                     WeightShape{8192, 8192}};
constexpr WeightShape kHead{128256, 4096};

void full_experts(Lister& list, const Batches& batches) {
    for (const OpCase& shape : {kSmallExperts, kLargeExperts}) {
        list.experts(all_types(), batches, shape);
        list.experts({"q4_K", "mxfp4"}, batches, skewed(shape));
    }
    list.experts({"q4_K", "mxfp4"}, batches, {.n = 2880, .k = 2880, .n_experts = 32, .n_used = 4});
    list.experts({"q4_K"}, batches, {.n = 2048, .k = 7168, .n_experts = 64, .n_used = 8});
}

void full_attention(Lister& list, const Batches& batches) {
    const Batches cells = {512, 1024, 4096, 16384, 65536};
    for (const char* type : {"f16", "q8_0", "q4_0"}) {
        list.attention(batches, cells, heads(type, 32, 8, 128));
    }
    list.attention(batches, cells, heads("f16", 64, 8, 64));
    list.attention(batches, cells, heads("f16", 64, 4, 128));
    list.attention(batches, cells, heads("f16", 16, 8, 256));
    OpCase mla = heads("f16", 16, 1, 576);
    mla.head_dim_v = 512;
    list.attention(batches, cells, mla);
}

std::vector<OpCase> full(const Batches& batches) {
    Lister list;
    for (const WeightShape& shape : kLayerShapes) list.matmul(all_types(), batches, shape);
    list.matmul({"q6_K", "q8_0", "q4_K", "f16"}, {1, 64}, kHead);
    list.matmul({"f32"}, batches, {128, 2048});
    full_experts(list, batches);
    full_attention(list, batches);
    list.small_ops(batches);
    return list.take();
}

std::vector<OpCase> gpu_fast() {
    Lister list;
    list.matmul(common_types(), {1, 512}, {4096, 4096});
    list.attention({1, 512}, {1024, 16384}, heads("f16", 32, 8, 128));
    list.small_ops({1, 512});
    list.experts({"q4_K", "q6_K", "mxfp4"}, {1, 16, 512}, kSmallExperts);
    list.matmul(common_types(), {2048, 16, 64, 4}, {4096, 4096});
    list.matmul(common_types(), {1, 512}, {14336, 4096});
    list.matmul(common_types(), {1}, {1024, 4096});
    list.matmul(other_types(), {1, 16, 512, 2048}, {4096, 4096});
    list.attention({16, 64, 2048}, {4096, 16384}, heads("f16", 32, 8, 128));
    list.attention({1, 512}, {4096}, heads("q8_0", 32, 8, 128));
    list.attention({1, 512}, {4096}, heads("f16", 64, 8, 64));
    list.experts({"q8_0", "q4_0", "iq3_xxs"}, {1, 16, 512}, kSmallExperts);
    list.experts({"q4_K"}, {16, 512}, skewed(kSmallExperts));
    list.experts({"q4_K"}, {1, 512}, kLargeExperts);
    list.matmul(common_types(), {8192}, {4096, 4096});
    return list.take();
}

}  // namespace

std::vector<OpCase> cpu_op_list(OpListSize size) {
    return size == OpListSize::Fast ? cpu_fast() : full({1, 4, 16, 64, 512});
}

std::vector<OpCase> gpu_op_list(OpListSize size) {
    return size == OpListSize::Fast ? gpu_fast()
                                    : full({1, 4, 16, 64, 512, 1024, 2048, 4096, 8192, 16384});
}

std::vector<OpCase> with_batches(std::vector<OpCase> cases,
                                 const std::vector<std::int64_t>& batches) {
    if (batches.empty()) return cases;
    std::erase_if(cases, [&](const OpCase& c) {
        return std::find(batches.begin(), batches.end(), c.n_tokens) == batches.end();
    });
    return cases;
}

bool is_worth_timing_under_copies(const OpCase& op_case) {
    const Types& types = common_types();
    const bool common = std::find(types.begin(), types.end(), op_case.type) != types.end();
    return is_matmul(op_case.op) && common && (op_case.n_tokens == 1 || op_case.n_tokens >= 128);
}

}  // namespace pshard
