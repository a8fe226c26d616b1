#include "plan/scratch.h"
#include "support/graph_maker.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

constexpr Bytes kNone = kNoOffset;

// Weights "blk.0.attn_q.weight" on the GPU and "blk.0.ffn_up.weight" on the CPU; values of 8 bytes
// a row, and an input of 8.
class ScratchTest : public ::testing::Test {
protected:
    ScratchTest() : make(inventory, graph) {
        add_weight(inventory, "blk.0.attn_q.weight", "f16", {2, 2, 1, 1});
        add_weight(inventory, "blk.0.ffn_up.weight", "f16", {2, 2, 1, 1});
        gpu_weight = make.layer_weight(0, "attn_q.weight");
        cpu_weight = make.layer_weight(0, "ffn_up.weight");
        x = make.input("x", "f32", rows(1));
    }

    static Shape rows(std::int64_t n) { return {2, n, 1, 1}; }

    Ref on_gpu(const char* name, std::int64_t n_rows, Ref of) {
        return make.node("MUL_MAT", name, 0, rows(n_rows), {gpu_weight, of});
    }

    Ref on_cpu(const char* name, std::int64_t n_rows, Ref of) {
        return make.node("MUL_MAT", name, 0, rows(n_rows), {cpu_weight, of});
    }

    ScratchLayout layout(OpOffload offload = OpOffload::Never) {
        const Placement placement{{Lane::Gpu, Lane::Cpu}, {}};
        cut = cut_stages(inventory, graph, placement, {offload, false});
        const ScratchLayout layout = layout_scratch({inventory, graph, placement, cut, offload});
        PackingMemo memo;
        const ScratchLayout peaks =
            scratch_peaks({inventory, graph, placement, cut, offload}, memo);
        EXPECT_EQ(peaks.cpu.peak, layout.cpu.peak);
        EXPECT_EQ(peaks.gpus[0].peak, layout.gpus[0].peak);
        return layout;
    }

    Inventory inventory = [] {
        Inventory made;
        made.device.alignment = 1;
        return made;
    }();
    Graph graph;
    GraphMaker make;
    Ref gpu_weight, cpu_weight, x;
    StageCut cut;
};

// The largest first, each as low as what lives with it allows:
//
//   bytes  0       8      16      24      32      40
//   n0     [n0            ][x     ]
//   n1     [n0            ]               [n1    ]
//   n2     [n0            ]               [n2    ]     SILU over n1
//   n3     [n0            ][n3            ][n2    ]     n0 dies
//   n4     [n4    ]        [n3            ][n2    ]     n3 dies
//   n5     [n5    ]                                    ADD over n4, the first operand
TEST_F(ScratchTest, ReusesWhatDied) {
    const Ref n0 = on_gpu("n0", 2, x);
    const Ref n1 = on_gpu("n1", 1, n0);
    const Ref n2 = make.node("SILU", "n2", 0, rows(1), {n1});
    const Ref n3 = on_gpu("n3", 2, n0);
    const Ref n4 = on_gpu("n4", 1, n3);
    make.node("ADD", "n5", 0, rows(1), {n4, n2});
    make.mark_output();
    const ScratchLayout made = layout();
    EXPECT_THAT(made.gpus[0].inputs, ElementsAre(16));
    EXPECT_THAT(made.gpus[0].nodes, ElementsAre(0, 32, 32, 16, 0, 0));
    EXPECT_EQ(made.gpus[0].peak, 40u);
    EXPECT_EQ(made.cpu.peak, 8u);  // x, where the host writes it
    EXPECT_THAT(made.gpus[0].weights, ElementsAre(kNone, kNone));
}

TEST_F(ScratchTest, ViewsKeepTheirStorageAlive) {
    const Ref n0 = on_gpu("n0", 1, x);
    const Ref view = make.view("VIEW", "view", 0, rows(1), n0);
    const Ref n2 = on_gpu("n2", 1, n0);
    const Ref n3 = on_gpu("n3", 1, n2);
    make.node("CONCAT", "n4", 0, rows(2), {n3, view});
    make.mark_output();
    const ScratchLayout made = layout();
    //   n4 0..16, n0 16..24 through its view, n2 0..8, n3 24..32 while n0 and n4 are there
    EXPECT_THAT(made.gpus[0].nodes, ElementsAre(16, kNone, 0, 24, 0));
    EXPECT_EQ(made.gpus[0].peak, 32u);
}

// A copy is there from its first stage on, while later stages read it.
//
//   c0 (CPU) | g1 = f(c0), g2 = f(g1) | c3 = f(g2) | g4 = c3 ++ c0
TEST_F(ScratchTest, CopiesLiveFromTheFirstStageToTheLastReader) {
    const Ref c0 = on_cpu("c0", 1, x);
    const Ref g1 = on_gpu("g1", 1, c0);
    const Ref g2 = on_gpu("g2", 1, g1);
    const Ref c3 = on_cpu("c3", 1, g2);
    const Ref g4 = on_gpu("g4", 1, c3);
    make.node("CONCAT", "g5", 0, rows(2), {g4, c0});
    make.mark_output();
    const ScratchLayout made = layout();
    ASSERT_EQ(cut.stages.size(), 4u);
    //   bytes   0       8      16      24      32
    //   g1      [g1    ]                [c0    ]
    //   g2      [g1    ][g2    ]        [c0    ]
    //   g4      [c3    ]        [g4    ][c0    ]    c3's copy, once g2 was copied
    //   g5      [g5            ][g4    ][c0    ]
    EXPECT_THAT(made.gpus[0].nodes, ElementsAre(24, 0, 8, 0, 16, 0));
    EXPECT_EQ(made.gpus[0].peak, 32u);
    EXPECT_NE(made.cpu.nodes[2], kNone);  // g2 was copied to the CPU
    EXPECT_EQ(made.cpu.nodes[1], kNone);
}

// CUDA computes norm, factor and rotation by one kernel only where the result is not on the row.
//
//   bytes   0       8      16
//   n0      [n0    ][x     ]
//   n1 n2   [n0    ][n1    ]    without the rotation n1 would lie on n0
//   n3      [n0    ][n1    ]
TEST_F(ScratchTest, KeepsTheRowOfANormThatIsRotated) {
    const Ref n0 = on_gpu("n0", 1, x);
    const Ref n1 = make.node("RMS_NORM", "n1", 0, rows(1), {n0});
    const Ref n2 = make.node("MUL", "n2", 0, rows(1), {n1, gpu_weight});
    make.node("ROPE", "n3", 0, rows(1), {n2});
    make.mark_output();
    const ScratchLayout made = layout();
    EXPECT_THAT(made.gpus[0].nodes, ElementsAre(0, 8, 8, 8));
    graph.nodes.back().op = "SCALE";
    EXPECT_THAT(layout().gpus[0].nodes, ElementsAre(0, 0, 0, 0));
}

TEST_F(ScratchTest, HasRoomForUploadedWeights) {
    on_cpu("n0", 32, x);
    make.mark_output();
    EXPECT_EQ(layout(OpOffload::Never).gpus[0].peak, 0u);
    const ScratchLayout made = layout(OpOffload::Stock);
    EXPECT_NE(made.gpus[0].weights[1], kNone);
    EXPECT_EQ(made.gpus[0].peak, 8u + 8u + 256u);  // x, the weight, n0
}

TEST_F(ScratchTest, AlignsEveryBlock) {
    inventory.device.alignment = 64;
    x = make.input("y", "f32", rows(1));
    const Ref n0 = on_gpu("n0", 1, x);
    on_gpu("n1", 1, n0);
    make.mark_output();
    const ScratchLayout made = layout();
    EXPECT_THAT(made.gpus[0].nodes, ElementsAre(0, 64));
    EXPECT_EQ(made.gpus[0].peak, 128u);
}

}  // namespace
}  // namespace pshard
