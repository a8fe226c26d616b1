#include "capture/capture.h"

#include <fstream>

#include "capture/capture_fixture.h"
#include "capture/gguf_maker.h"
#include "capture/stock_memory.h"
#include "plan/idle_weights.h"
#include "support/testing.h"

namespace pshard {
namespace {

const Weight* weight_named(const Inventory& inventory, const std::string& name) {
    for (const Weight& weight : inventory.weights) {
        if (weight.name == name) return &weight;
    }
    return nullptr;
}

const Node* node_with_op(const Graph& graph, const std::string& op) {
    for (const Node& node : graph.nodes) {
        if (node.op == op) return &node;
    }
    return nullptr;
}

// ---- what a capture of a small dense model holds ----

TEST_F(CaptureTest, DescribesTheModel) {
    const std::string path = tiny("llama", [](ModelShape& shape) { shape.n_layer = 3; });
    const Inventory inventory = captured(path, small_context());
    EXPECT_EQ(inventory.architecture, "llama");
    EXPECT_EQ(inventory.n_layers, 3);
    EXPECT_EQ(inventory.n_experts, 0);
    EXPECT_EQ(inventory.file_bytes, std::filesystem::file_size(path));
    EXPECT_EQ(inventory.total_file_bytes, inventory.file_bytes);
    EXPECT_EQ(inventory.context, small_context());
    EXPECT_EQ(inventory.device.name, "cuda");
    EXPECT_EQ(inventory.device.alignment, 128U);
    EXPECT_TRUE(inventory.flash_attention);
    EXPECT_FALSE(inventory.has_recurrent);
    EXPECT_FALSE(inventory.head_is_tied);
    EXPECT_NE(inventory.header_hash, 0U);
    ASSERT_EQ(inventory.states.size(), 6U);
    EXPECT_EQ(inventory.states[0].name, "cache_k_l0");
    EXPECT_EQ(inventory.states[0].n_cells, 2048);
    EXPECT_EQ(inventory.states[5].layer, 2);
    EXPECT_EQ(weight_named(inventory, "token_embd.weight")->side, Side::Input);
    EXPECT_EQ(weight_named(inventory, "blk.1.ffn_up.weight")->side, Side::Ffn);
    EXPECT_EQ(weight_named(inventory, "blk.1.ffn_up.weight")->layer, 1);
}

TEST_F(CaptureTest, ReadsTheGraphOfEachTier) {
    const Inventory inventory = captured(tiny("llama"), small_context());
    ASSERT_EQ(inventory.graphs.size(), 3U);
    for (const Graph& graph : inventory.graphs) {
        EXPECT_EQ(graph.n_outputs, 1U);
        EXPECT_EQ(graph.nodes.front().op, "GET_ROWS");
        EXPECT_EQ(graph.nodes.front().shape[1], graph.n_tokens);
        EXPECT_EQ(graph.nodes.back().name, "result_output");
        EXPECT_EQ(graph.nodes.back().shape[1], 1);
        EXPECT_TRUE(graph.nodes.back().is_output);
        EXPECT_EQ(graph.nodes.back().layer, -1);
        std::set<std::string> inputs;
        for (const Input& input : graph.inputs) inputs.insert(input.name);
        EXPECT_EQ(inputs,
                  (std::set<std::string>{"inp_tokens",
                                         "inp_pos",
                                         "attn_inp_k_idxs",
                                         "attn_inp_v_idxs",
                                         "attn_inp_kq_mask",
                                         "out_ids"}));
    }
}

// Every node reads what stands before it; what it writes into is a state or a value, not a view.
TEST_F(CaptureTest, LeadsEveryReadBackToItsSource) {
    for (const char* arch :
         {"llama", "gemma3", "qwen3moe", "deepseek2", "qwen3next", "falcon-h1"}) {
        const Inventory inventory = captured(tiny(arch), small_context());
        for (const Graph& graph : inventory.graphs) {
            for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
                const Node& node = graph.nodes[i];
                for (const Ref& source : node.sources) {
                    if (source.kind != Ref::Kind::Node) continue;
                    EXPECT_LT(source.index, int(i)) << arch << " " << node.name;
                }
                if (node.has_storage && node.storage.kind == Ref::Kind::Node) {
                    const auto root = std::size_t(node.storage.index);
                    EXPECT_FALSE(graph.nodes[root].has_storage) << arch << " " << node.name;
                }
                EXPECT_EQ(node.name.find('#'), std::string::npos);
            }
            for (const Input& input : graph.inputs) {
                EXPECT_EQ(input.name.find('#'), std::string::npos) << input.name;
            }
        }
    }
}

// ---- memory: to the byte what llama.cpp itself counts ----

// Weights and states; what computing takes is compared in tests/agree.
StockMemory counted_by_us(const Inventory& inventory) {
    StockMemory sums;
    for (const Weight& weight : inventory.weights) {
        if (weight.side != Side::Input) sums.model += weight.alloc_bytes;
    }
    for (const State& state : inventory.states) sums.context += state.alloc_bytes;
    return sums;
}

class MemoryTest : public CaptureTest {
protected:
    void expect_equal(const std::string& path,
                      const ContextSpec& context,
                      const std::string& device = "cuda",
                      bool load_mtp = false,
                      std::uint32_t n_rs_seq = 0) {
        CaptureRequest request = request_for(path, context);
        request.device = device;
        request.load_mtp = load_mtp;
        request.n_rs_seq = n_rs_seq;
        StockRun run;
        run.model_path = path;
        run.context = context;
        run.n_gpu_layers = -1;
        run.load_mtp = load_mtp;
        run.n_rs_seq = n_rs_seq;
        run.device = device;
        run.backend_dir = PSHARD_LLAMA_BIN_DIR;
        const StockMemory stock = test::value_of(stock_memory(run));
        const StockMemory ours = counted_by_us(captured(request));
        EXPECT_EQ(ours.model, stock.model) << path;
        EXPECT_EQ(ours.context, stock.context) << path;
    }
};

class MemoryOfModel : public MemoryTest, public testing::WithParamInterface<std::string> {};

TEST_P(MemoryOfModel, IsWhatLlamaCounts) {
    const std::string path = known(GetParam());
    expect_equal(path, small_context());
    expect_equal(path, small_context(), "vulkan");
    ContextSpec parallel = small_context();
    parallel.n_seq_max = 4;
    expect_equal(path, parallel);
    parallel.kv_unified = true;
    parallel.swa_full = true;
    expect_equal(path, parallel);
}

std::vector<std::string> known_names() {
    std::vector<std::string> names;
    for (const ModelShape& shape : known_shapes()) names.push_back(shape.name);
    return names;
}

INSTANTIATE_TEST_SUITE_P(Known, MemoryOfModel, ValuesIn(known_names()), test::NamedByParameter());

TEST_F(MemoryTest, OfMtpLayersIsCounted) {
    const std::string path = tiny("glm4moe");
    expect_equal(path, small_context(), "cuda", true);
    expect_equal(path, small_context(), "cuda", false);
}

TEST_F(MemoryTest, OfRecurrentStatesThatTakeTokensBackIsCounted) {
    const std::string path = tiny("qwen35moe", [](ModelShape& model) { model.n_nextn = 1; });
    CaptureRequest request = request_for(path, small_context());
    const auto recurrent_bytes = [&] {
        Bytes bytes = 0;
        for (const State& state : captured(request).states) {
            if (state.kind == StateKind::Recurrent) bytes += state.bytes;
        }
        return bytes;
    };
    const Bytes newest_alone = recurrent_bytes();
    request.n_rs_seq = 3;
    EXPECT_EQ(recurrent_bytes(), 4 * newest_alone);
    expect_equal(path, small_context(), "cuda", true, 3);
}

TEST_F(MemoryTest, OfQuantizedCachesIsCounted) {
    ContextSpec context = small_context();
    context.type_k = "q8_0";
    context.type_v = "q4_0";
    expect_equal(tiny("llama"), context);
}

// Rows of 4608 + 256 values are padded to 512 on CUDA (MATRIX_ROW_PADDING).
TEST_F(MemoryTest, OfPaddedRowsIsCounted) {
    const auto odd_width = [](ModelShape& shape) { shape.n_ff = 768; };
    expect_equal(tiny("llama", odd_width, "Q8_0"), small_context());
    const Inventory inventory = captured(request_for(dir_ / "llama.gguf", small_context()));
    const Weight* down = weight_named(inventory, "blk.0.ffn_down.weight");
    ASSERT_EQ(down->shape[0], 768);
    EXPECT_EQ(down->alloc_bytes, align_up(down->bytes + 256 / 32 * 34, 128));
}

// ---- kinds of models ----

TEST_F(CaptureTest, GivesATiedHeadItsOwnWeight) {
    const Inventory inventory = captured(
        tiny("llama", [](ModelShape& shape) { shape.tied_embeddings = true; }), small_context());
    const Weight* head = weight_named(inventory, "output.weight");
    const Weight* embeddings = weight_named(inventory, "token_embd.weight");
    ASSERT_TRUE(head != nullptr && embeddings != nullptr);
    EXPECT_TRUE(inventory.head_is_tied);
    EXPECT_EQ(head->side, Side::Output);
    EXPECT_EQ(embeddings->side, Side::Input);
    EXPECT_EQ(head->bytes, embeddings->bytes);
    const Graph& graph = inventory.graphs[0];
    const Ref read_by_head = graph.nodes.back().sources[0];
    EXPECT_EQ(inventory.weights[std::size_t(read_by_head.index)].name, "output.weight");
}

TEST_F(CaptureTest, MarksRoutedExperts) {
    const Inventory inventory = captured(tiny("qwen3moe"), small_context());
    const Weight* experts = weight_named(inventory, "blk.0.ffn_down_exps.weight");
    ASSERT_NE(experts, nullptr);
    EXPECT_TRUE(experts->routed);
    EXPECT_EQ(experts->shape[2], inventory.n_experts);
    EXPECT_GT(inventory.n_experts_used, 0);
    EXPECT_NE(node_with_op(inventory.graphs[0], "MUL_MAT_ID"), nullptr);
}

// llama.cpp asks for f32 in Mistral 4's down projections. It does not know that when it loads them,
// so it puts them onto the device all the same.
TEST_F(CaptureTest, TellsWhatIsOfNoUseOnTheDevice) {
    for (const char* device : {"cuda", "vulkan"}) {
        CaptureRequest request = request_for(tiny("mistral4"), small_context());
        request.device = device;
        const Inventory inventory = captured(request);
        for (const Graph& graph : inventory.graphs) {
            const std::vector<int> idle = idle_layer_weights(inventory, graph);
            ASSERT_EQ(idle.size(), 4U) << device;
            for (int layer = 0; layer < 4; ++layer) {
                const Weight& weight =
                    inventory
                        .weights[static_cast<std::size_t>(idle[static_cast<std::size_t>(layer)])];
                EXPECT_EQ(weight.name, fmt::format("blk.{}.ffn_down_exps.weight", layer));
                EXPECT_EQ(weight.side, Side::Ffn);
            }
        }
    }
}

// ggml-cuda has no kernel for TQ2_0, so that llama.cpp loads these weights to host memory.
TEST_F(CaptureTest, LeavesTypesThatTheDeviceLacksInHostMemory) {
    const std::string path = tiny(
        "qwen3", [](ModelShape&) {}, "TQ2_0");
    for (const char* device : {"cuda", "vulkan"}) {
        CaptureRequest request = request_for(path, small_context());
        request.device = device;
        const bool lacks = std::string_view(device) == "cuda";
        const Inventory inventory = captured(request);
        for (const Weight& weight : inventory.weights) {
            const bool in_host =
                weight.name == "token_embd.weight" || (lacks && weight.type == "tq2_0");
            EXPECT_EQ(weight.side == Side::Input, in_host) << device << ' ' << weight.name;
        }
        const Graph& graph = inventory.graphs.front();
        EXPECT_EQ(idle_layer_weights(inventory, graph).size(), lacks ? 4U * 7 : 0U);
    }
}

TEST_F(CaptureTest, GivesSlidingWindowsFewerCells) {
    const std::string path = tiny("gemma3", [](ModelShape& shape) {
        shape.n_layer = 6;
        shape.n_swa = 256;
    });
    ContextSpec context = small_context();
    context.n_ctx = 8192;
    const auto cell_counts = [&] {
        std::set<std::int64_t> counts;
        for (const State& state : captured(path, context).states) counts.insert(state.n_cells);
        return counts;
    };
    EXPECT_EQ(cell_counts(), (std::set<std::int64_t>{256 + 512, 8192}));
    EXPECT_TRUE(is_windowed(captured(path, context)));
    context.swa_full = true;
    EXPECT_EQ(cell_counts(), std::set<std::int64_t>{8192});
    EXPECT_FALSE(is_windowed(captured(path, context)));
    EXPECT_FALSE(is_windowed(captured(tiny("llama"), context)));
}

TEST_F(CaptureTest, SeesOneCacheTensorPerLayerOfLatentAttention) {
    const Inventory inventory = captured(tiny("deepseek2"), small_context());
    EXPECT_EQ(inventory.states.size(), std::size_t(inventory.n_layers));
    for (const State& state : inventory.states) EXPECT_THAT(state.name, HasSubstr("cache_k_l"));
}

TEST_F(CaptureTest, TellsRecurrentStateFromCaches) {
    const Inventory inventory = captured(tiny("qwen3next"), small_context());
    EXPECT_TRUE(inventory.has_recurrent);
    std::size_t n_recurrent = 0;
    for (const State& state : inventory.states) {
        if (state.kind != StateKind::Recurrent) continue;
        ++n_recurrent;
        EXPECT_EQ(state.n_cells, 0);
        EXPECT_EQ(state.type, "f32");
    }
    EXPECT_GT(n_recurrent, 0U);
    EXPECT_LT(n_recurrent, inventory.states.size());
}

TEST_F(CaptureTest, LoadsMtpLayersOnRequestOnly) {
    CaptureRequest request = request_for(tiny("glm4moe"), small_context());
    const Inventory without = captured(request);
    request.load_mtp = true;
    const Inventory with = captured(request);
    EXPECT_EQ(with.n_layers, without.n_layers + 1);
    EXPECT_EQ(without.n_layers_unloaded, 1);
    EXPECT_EQ(with.n_layers_unloaded, 0);
    EXPECT_GT(with.weights.size(), without.weights.size());
    const std::string last = std::to_string(with.n_layers - 1);
    EXPECT_NE(weight_named(with, "blk." + last + ".nextn.eh_proj.weight"), nullptr);
    EXPECT_EQ(weight_named(without, "blk." + last + ".nextn.eh_proj.weight"), nullptr);
}

// ---- contexts ----

TEST_F(CaptureTest, ResolvesFlashAttention) {
    const std::string path = tiny("llama");
    ContextSpec context = small_context();
    for (const auto& [asked, nodes] : {std::pair{FlashAttention::On, true},
                                       {FlashAttention::Off, false},
                                       {FlashAttention::Auto, true}}) {
        context.flash_attention = asked;
        const Inventory inventory = captured(path, context);
        EXPECT_EQ(inventory.flash_attention, nodes);
        EXPECT_EQ(node_with_op(inventory.graphs[0], "FLASH_ATTN_EXT") != nullptr, nodes);
    }
}

TEST_F(CaptureTest, SpreadsATierOverSequences) {
    const std::string path = tiny("llama");
    ContextSpec context = small_context();
    context.n_seq_max = 4;
    context.output_use = OutputUse::Server;
    const Inventory streams = captured(path, context);
    EXPECT_EQ(streams.states[0].shape, (Shape{streams.states[0].shape[0], 512, 4, 1}));
    EXPECT_EQ(streams.states[0].n_cells, 2048);
    EXPECT_EQ(streams.graphs[0].n_seqs, 1U);
    EXPECT_EQ(streams.graphs[0].nodes[0].shape[1], 1) << "one user alone";
    EXPECT_EQ(streams.graphs[1].n_seqs, 4U);
    EXPECT_EQ(streams.graphs[1].nodes[0].shape[1], 16);
    context.kv_unified = true;
    const Inventory unified = captured(path, context);
    EXPECT_EQ(unified.states[0].shape[1], 2048);
    EXPECT_EQ(unified.graphs[0].n_seqs, 1U);
    EXPECT_EQ(unified.graphs[0].nodes[0].shape[1], 1);
    EXPECT_EQ(unified.graphs[2].n_seqs, 4U);
    EXPECT_EQ(unified.graphs[2].n_outputs, 4U);
    EXPECT_EQ(unified.graphs[2].nodes.back().shape[1], 4);
}

// One of four users computes what a single user with a quarter of the context does.
TEST_F(CaptureTest, ATierOfOneUserIsThatOfASingleUser) {
    ContextSpec alone = small_context();
    alone.n_ctx = 512;
    ContextSpec shared = small_context();
    shared.n_seq_max = 4;
    for (const char* arch : {"llama", "gemma3", "qwen3next", "deepseek2"}) {
        const std::string path = tiny(arch);
        const Inventory one = captured(path, alone);
        const Inventory four = captured(path, shared);
        EXPECT_TRUE(four.graphs[0] == one.graphs[0]) << arch;
        ASSERT_EQ(four.states.size(), one.states.size());
        EXPECT_EQ(four.states[0].bytes, 4 * one.states[0].bytes) << arch;
    }
}

// 16 tokens over 3 sequences: two of 8. A recurrent model keeps a state of all three.
TEST_F(CaptureTest, KeepsTheTokensOfATierThatSequencesDoNotDivide) {
    ContextSpec context = small_context();
    context.n_seq_max = 3;
    const Inventory attention = captured(tiny("llama"), context);
    EXPECT_EQ(attention.graphs[1].n_seqs, 2U);
    EXPECT_EQ(attention.graphs[1].nodes[0].shape[1], 16);
    EXPECT_EQ(captured(tiny("qwen3next"), context).graphs[1].n_seqs, 3U);
}

// A quantized cache is read as f16 by the attention of a batch on CUDA: the copy is paid for in the
// result's allocation.
TEST_F(CaptureTest, CountsTheHalfCopyOfAQuantizedCache) {
    ContextSpec context = small_context();
    context.type_k = context.type_v = "q8_0";
    const Inventory inventory = captured(tiny("llama"), context);
    const Node* single = node_with_op(inventory.graphs[0], "FLASH_ATTN_EXT");
    const Node* batch = node_with_op(inventory.graphs[2], "FLASH_ATTN_EXT");
    ASSERT_TRUE(single != nullptr && batch != nullptr);
    EXPECT_EQ(single->alloc_bytes, align_up(single->bytes, 128));
    const State& cache = inventory.states[0];
    const auto half = Bytes(2 * cache.shape[0] * cache.shape[1]);
    EXPECT_EQ(batch->alloc_bytes, batch->bytes + 2 * half);
}

// ---- refusals ----

class Refusal : public CaptureTest {
protected:
    std::string complaint(const CaptureRequest& request) {
        const auto inventory = capture_inventory(request);
        EXPECT_FALSE(inventory.ok());
        return inventory.ok() ? "" : inventory.error().text();
    }

    CaptureRequest sound() { return request_for(tiny("llama"), small_context()); }
};

TEST_F(Refusal, OfTiersNamesTheTier) {
    CaptureRequest request = sound();
    request.tiers = {1, 16, 16};
    EXPECT_THAT(complaint(request), HasSubstr("tier 16 does not follow 16"));
    request.tiers = {0};
    EXPECT_THAT(complaint(request), HasSubstr("tier 0"));
    request.tiers = {1024};
    EXPECT_THAT(complaint(request), HasSubstr("does not fit a ubatch of 512"));
}

TEST_F(Refusal, OfAnUnknownDeviceNamesThoseKnown) {
    CaptureRequest request = sound();
    request.device = "CUDA7";
    EXPECT_THAT(complaint(request), AllOf(HasSubstr("'CUDA7'"), HasSubstr("CPU")));
}

TEST_F(Refusal, OfACacheTypeNamesIt) {
    CaptureRequest request = sound();
    request.context.type_v = "q9_9";
    EXPECT_THAT(complaint(request), HasSubstr("'q9_9' is no ggml type"));
}

// llama.cpp says why, in its log; the slim copy's path must not show.
TEST_F(Refusal, ByLlamaCarriesItsReason) {
    CaptureRequest request = sound();
    request.context.type_v = "q8_0";
    request.context.flash_attention = FlashAttention::Off;
    EXPECT_THAT(
        complaint(request),
        AllOf(
            HasSubstr("quantized V cache"), HasSubstr("llama.gguf"), Not(HasSubstr("/proc/self"))));
    const std::string keyless = GgufMaker()
                                    .begin(0, 2)
                                    .string("general.architecture", "llama")
                                    .integer("llama.block_count", 2)
                                    .data(0)
                                    .write(dir_ / "keyless.gguf");
    EXPECT_THAT(complaint(request_for(keyless, small_context())),
                AllOf(HasSubstr("could not load"),
                      HasSubstr("llama.context_length"),
                      Not(HasSubstr("/proc/self"))));
}

TEST_F(Refusal, OfAFileWithoutLayers) {
    const std::string empty =
        GgufMaker().begin(0, 1).string("general.architecture", "llama").data(0).write(dir_ / "e");
    EXPECT_THAT(complaint(request_for(empty, small_context())), HasSubstr("0 layers"));
    const std::string nameless = GgufMaker().begin(0, 0).data(0).write(dir_ / "n");
    EXPECT_THAT(complaint(request_for(nameless, small_context())), HasSubstr("no architecture"));
}

TEST_F(Refusal, OfAnArchitectureThatLlamaDoesNotKnow) {
    const std::string path = GgufMaker()
                                 .begin(0, 2)
                                 .string("general.architecture", "parrot")
                                 .integer("parrot.block_count", 2)
                                 .data(0)
                                 .write(dir_ / "parrot.gguf");
    EXPECT_THAT(complaint(request_for(path, small_context())), HasSubstr("parrot"));
}

// ---- manners ----

TEST_F(CaptureTest, IsSilent) {
    const CaptureRequest request = request_for(tiny("llama"), small_context());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    (void)captured(request);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace pshard
