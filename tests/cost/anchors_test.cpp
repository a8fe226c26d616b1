// The reference profile against what was measured on that machine [S19], [S20].
//
// The models are built by hand to the published sizes; a plan is added up here in the simplest way
// that its strategy allows, so this judges the prices, not the simulator.

#include <fstream>

#include "base/temp_folder.h"
#include "build_paths.h"
#include "cost/graph_builder.h"
#include "cost/graph_cost.h"
#include "cost/transfer.h"
#include "support/machines.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::GraphBuilder;
using testing_support::reference_profile;

// A model in the making: keeps what the strategies ask of a layer.
class Model {
public:
    Model(std::uint32_t n_tokens, std::int64_t n_embd) : b(n_tokens), n_embd_(n_embd) {
        const auto n = std::int64_t(n_tokens);
        x = b.node("ADD", {n_embd, n}, {b.input({n_embd, n})});
    }

    // A dense product with the running activation; does not replace it.
    void dense(const std::string& type, std::int64_t k, std::int64_t n_out) {
        const auto n = std::int64_t(b.graph.n_tokens);
        const Ref in = b.node("MUL", {k, n}, {x, x}, layer);
        b.node("MUL_MAT", {n_out, n}, {b.weight("w", type, {k, n_out}), in}, layer);
    }

    void small(int count, std::int64_t width) {
        const auto n = std::int64_t(b.graph.n_tokens);
        for (int i = 0; i < count; i++) {
            const Ref in = b.node("VIEW", {width, n}, {x}, layer);
            b.node("ADD", {width, n}, {in, in}, layer);
        }
    }

    void attention(std::int64_t heads, std::int64_t kv_heads, std::int64_t d, std::int64_t cells) {
        const auto n = std::int64_t(b.graph.n_tokens);
        const Ref k = b.cache_view(b.cache("cache_k", d * kv_heads, cells), d, kv_heads, cells);
        const Ref v = b.cache_view(b.cache("cache_v", d * kv_heads, cells), d, kv_heads, cells);
        const Ref q = b.node("ROPE", {d, n, heads}, {x}, layer);
        b.node("FLASH_ATTN_EXT", {d, heads, n}, {q, k, v}, layer);
    }

    void delta_net(std::int64_t heads, std::int64_t d) {
        const auto n = std::int64_t(b.graph.n_tokens);
        const Ref v = b.node("SILU", {d, heads, n}, {x}, layer);
        const Ref state = b.input({d, d, heads});
        b.node("GATED_DELTA_NET", {d * heads, n + d}, {v, v, v, state}, layer);
    }

    void experts(const std::vector<std::string>& types,
                 std::int64_t width,
                 std::int64_t total,
                 std::int64_t used) {
        const auto n = std::int64_t(b.graph.n_tokens);
        const Ref ids = b.input("i32", {used, n});
        const Ref in = b.node("VIEW", {n_embd_, 1, n}, {x}, layer);
        const int first = int(b.graph.nodes.size());
        for (int i = 0; i < 2; i++) {
            const Ref w = b.weight("ffn_exps", types[i], {n_embd_, width, total});
            b.node("MUL_MAT_ID", {width, used, n}, {w, in, ids}, layer);
        }
        const std::vector<Ref> both = {{Ref::Kind::Node, first}, {Ref::Kind::Node, first + 1}};
        const Ref h = b.node("SWIGLU", {width, used, n}, both, layer);
        const Ref down = b.weight("ffn_exps", types[2], {width, n_embd_, total});
        b.node("MUL_MAT_ID", {n_embd_, used, n}, {down, h, ids}, layer);
        for (int i = first; i < int(b.graph.nodes.size()); i++) expert_nodes.push_back(i);
    }

    void head(const std::string& type, std::int64_t n_vocab) {
        layer = -1;
        const Ref row = b.node("GET_ROWS", {n_embd_}, {x, b.input("i32", {1})});
        const Ref weight = b.weight("output.weight", type, {n_embd_, n_vocab});
        b.node("MUL_MAT", {n_vocab}, {weight, row});
    }

    GraphBuilder b;
    Ref x;
    int layer = -1;
    std::vector<int> expert_nodes;

private:
    std::int64_t n_embd_;
};

// Qwen3.6-35B-A3B Q4_K_M: 40 layers, every fourth with full attention, 256 experts top-8; attention
// side sized to 55 MB a layer, experts to about 490 MB [S18]; about 48 kernels a layer.
Model q35(std::uint32_t n_tokens, std::int64_t n_ctx) {
    Model m(n_tokens, 2048);
    for (m.layer = 0; m.layer < 40; m.layer++) {
        m.dense("q8_0", 2048, 8192);
        m.dense("f16", 2048, 4096);
        m.dense("f16", 4096, 2048);
        m.dense("q8_0", 2048, 512);
        m.dense("q8_0", 2048, 512);
        m.dense("q8_0", 512, 2048);
        m.dense("f32", 2048, 256);
        if (m.layer % 4 == 3) {
            m.attention(16, 2, 256, n_ctx);
        } else {
            m.delta_net(32, 128);
        }
        m.small(28, 2048);
        m.experts({"q4_K", "q4_K", "q5_K"}, 512, 256, 8);
    }
    m.b.graph.n_outputs = 1;
    m.head("q6_K", 248320);
    return m;
}

// gpt-oss-20b: 24 layers, every second with a window of 128, 32 experts top-4 in mxfp4.
Model oss(std::uint32_t n_tokens, std::int64_t n_ctx) {
    Model m(n_tokens, 2880);
    for (m.layer = 0; m.layer < 24; m.layer++) {
        m.dense("q8_0", 2880, 5120);
        m.dense("q8_0", 4096, 2880);
        m.dense("f32", 2880, 32);
        m.attention(64, 8, 64, m.layer % 2 ? n_ctx : std::min<std::int64_t>(n_ctx, 128 + n_tokens));
        m.small(24, 2880);
        m.experts({"mxfp4", "mxfp4", "mxfp4"}, 2880, 32, 4);
    }
    m.head("q8_0", 201088);
    return m;
}

struct Parts {
    Seconds gpu = 0;          // all but the experts of layers that are not pinned
    Seconds experts_cpu = 0;  // those, on the CPU
    Seconds experts_gpu = 0;  // those, on the GPU
    int n_host_layers = 0;
};

Parts parts_of(const Model& m, const GraphCost& cost, int n_pinned) {
    Parts parts;
    std::vector<bool> is_expert(m.b.graph.nodes.size());
    for (const int i : m.expert_nodes) is_expert[size_t(i)] = true;
    int n_layers = 0;
    for (size_t i = 0; i < is_expert.size(); i++) {
        const int layer = m.b.graph.nodes[i].layer;
        n_layers = std::max(n_layers, layer + 1);
        const bool host = is_expert[i] && layer >= n_pinned;
        (host ? parts.experts_gpu : parts.gpu) += cost.gpu.seconds[i];
        if (host) parts.experts_cpu += cost.cpu.seconds[i];
    }
    parts.n_host_layers = n_layers - n_pinned;
    return parts;
}

double layer_bytes(const Model& m) {
    double bytes = 0;
    for (const Weight& w : m.b.inventory.weights) {
        if (w.name != "output.weight") bytes += double(w.bytes);
    }
    int n_layers = 0;
    for (const Node& node : m.b.graph.nodes) n_layers = std::max(n_layers, node.layer + 1);
    return bytes / n_layers;
}

// Experts of unpinned layers on the CPU; each crossing there and back costs two hand-overs.
double static_rate(const Model& m, int n_pinned, std::uint32_t depth) {
    const MachineProfile profile = reference_profile();
    const Parts p = parts_of(m, price_graph(m.b.graph, m.b.inventory, profile, depth), n_pinned);
    const LinkRates link = *link_rates(profile);
    const double activations = 2.0 * 4 * double(m.b.graph.nodes[0].shape[0]) * m.b.graph.n_tokens;
    const Seconds crossings =
        p.n_host_layers * (2 * link.switch_seconds + activations / link.h2d_bytes_per_second);
    return m.b.graph.n_tokens / (p.gpu + p.experts_cpu + crossings);
}

// Unpinned layers uploaded whole while the layer before computes.
double stream_rate(const Model& m, int n_pinned, std::uint32_t depth) {
    const MachineProfile profile = reference_profile();
    const Parts p = parts_of(m, price_graph(m.b.graph, m.b.inventory, profile, depth), n_pinned);
    const Seconds copies =
        p.n_host_layers * layer_bytes(m) / link_rates(profile)->h2d_bytes_per_second;
    return m.b.graph.n_tokens / std::max(p.gpu + p.experts_gpu, copies);
}

struct Anchor {
    std::string what;
    double predicted;
    double measured;
    double tolerance;  // of predicted / measured - 1

    [[nodiscard]] double error() const { return predicted / measured - 1; }
};

void expect_within(const std::vector<Anchor>& anchors) {
    for (const Anchor& a : anchors) EXPECT_LE(std::abs(a.error()), a.tolerance) << a.what;
}

// A table of profiles/reference/README.md is these rows; where it is not, they are printed to be
// put there.
void expect_in_readme(const std::vector<Anchor>& anchors) {
    std::string table = "| | predicted t/s | measured t/s | error |\n|---|--:|--:|--:|\n";
    for (const Anchor& a : anchors) {
        table += fmt::format("| {} | {:.4g} | {:.4g} | {:+.1f} % |\n",
                             a.what,
                             a.predicted,
                             a.measured,
                             100 * a.error());
    }
    const std::string page = test::text_in(PSHARD_SOURCE_DIR "/profiles/reference/README.md");
    EXPECT_TRUE(page.find("\n\n" + table + "\n") != page.npos)
        << "profiles/reference/README.md should have this table:\n\n"
        << table;
}

// [S20], rows s3 and s0, 366 tokens; the pinned layers and 66.28 are of [S19].
std::vector<Anchor> decode_of_q35() {
    const Model m = q35(1, 2048);
    return {{"q35 decode, static, 4 of 40 layers", static_rate(m, 4, 400), 47.5, 0.15},
            {"q35 decode, static, 12 of 40", static_rate(m, 12, 400), 56.0, 0.15},
            {"q35 decode, static, 21 of 40", static_rate(m, 21, 400), 66.28, 0.15},
            {"q35 decode, layers streamed, 4 of 40", stream_rate(m, 4, 400), 2.4, 0.15},
            {"q35 decode, layers streamed, 12 of 40", stream_rate(m, 12, 400), 3.0, 0.15}};
}

// [S19], context 2048, columns s3 and s0.
std::vector<Anchor> decode_of_gpt_oss() {
    const Model m = oss(1, 2048);
    return {{"oss decode, static, 2 of 24 layers", static_rate(m, 2, 400), 31.4, 0.15},
            {"oss decode, static, 7 of 24", static_rate(m, 7, 400), 39.68, 0.15},
            {"oss decode, static, 17 of 24", static_rate(m, 17, 400), 75.82, 0.15},
            {"oss decode, all 24 layers", static_rate(m, 24, 400), 190.06, 0.15},
            {"oss decode, layers streamed, 2 of 24", stream_rate(m, 2, 400), 4.10, 0.15}};
}

// [S20], row s2 and column 4k of s0; [S19], s2 and, at 16384, s0.
std::vector<Anchor> prefill() {
    return {
        {"q35 prefill 3978, streamed, 4 of 40", stream_rate(q35(3978, 4608), 4, 0), 4304, 0.15},
        {"q35 prefill 366, FFN on CPU, 4 of 40", static_rate(q35(366, 1024), 4, 0), 218, 0.15},
        {"oss prefill 8192 of 16k, streamed, 2 of 24",
         stream_rate(oss(8192, 16384), 2, 4096),
         7605,
         0.15},
        {"oss prefill 366, FFN on CPU, 2 of 24", static_rate(oss(366, 1024), 2, 0), 94.67, 0.15},
        {"oss prefill 366, FFN on CPU, 7 of 24", static_rate(oss(366, 1024), 7, 0), 126.11, 0.15}};
}

// Results of the kinds that the rates were fitted to.
TEST(ReferenceProfile, ComesThisCloseToWhatItWasFittedTo) {
    std::vector<Anchor> anchors = decode_of_q35();
    for (const auto& more : {decode_of_gpt_oss(), prefill()}) {
        anchors.insert(anchors.end(), more.begin(), more.end());
    }
    expect_within(anchors);
    expect_in_readme(anchors);
}

// Results that no figure of the profile was set by. The README names what is missing: a plan switch
// in each short prompt and short decode.
TEST(ReferenceProfile, ComesThisCloseToWhatItWasNotFittedTo) {
    const std::vector<Anchor> anchors = {
        {"q35 decode at 4k, static, 4 of 40", static_rate(q35(1, 4608), 4, 4000), 46.0, 0.15},
        {"q35 decode at 4k, static, 12 of 40", static_rate(q35(1, 4608), 12, 4000), 52.9, 0.15},
        {"oss prefill 366, all 24 layers", static_rate(oss(366, 1024), 24, 0), 2668.55, 0.15},
        {"q35 prefill 3978, FFN on CPU, 4 of 40", static_rate(q35(3978, 4608), 4, 0), 253, 0.25},
        {"q35 prefill 366, streamed, 4 of 40", stream_rate(q35(366, 1024), 4, 0), 706, 0.25},
        {"q35 prefill 366, streamed, 12 of 40", stream_rate(q35(366, 1024), 12, 0), 795, 0.40},
        {"oss decode at 16k, all 24 layers", static_rate(oss(1, 16384), 24, 16000), 109.3, 0.75}};
    expect_within(anchors);
    expect_in_readme(anchors);
}

}  // namespace
}  // namespace pshard
