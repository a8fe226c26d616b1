// Checks that a kernel of several nodes writes over nothing that it still reads.
//
// In: the runs of nodes that a GPU may compute by one kernel (plan/fused_runs.h), and the addresses
// in the scratch. Out: one line for each node of a run whose result overlaps an operand of the run.
//
// One kernel may read the inputs of its first node while it writes the result of its last one. So
// every operand from outside the run must be clear of every result of the run:
//
//   run      n4 = MUL(a, b)   n5 = ADD(n4, c)
//   bytes    a [====]   b [====]   n4 [====]   n5 over b: fault, since b may be read late
//                                              n5 over c: right, since n5 reads c in place
//
// A node may take the exact place of an operand that it reads itself, as it would without the
// kernel; the nodes after it may go on in that place.
//
// Traps: addresses are compared per GPU, since a value of another device is read by a copy of its
// own. A view has no bytes of its own: its storage is asked, unless the view was copied. Whether a
// backend does fuse a run is not asked: it may, and so the plan must be right.

#include <algorithm>
#include <optional>

#include "plan/fused_runs.h"
#include "verify/checks.h"

namespace pshard {
namespace {

// A value's name, and its bytes in the GPU's scratch.
struct Place {
    Ref root;
    std::string_view name;
    Extent bytes;
};

class FusedCheck {
public:
    FusedCheck(const PlanUnderTest& plan, Violations& violations)
        : plan_(plan), violations_(violations) {}

    void run() {
        for (const Stage& stage : plan_.lowered.cut.stages) {
            if (!stage.device.is_gpu()) continue;
            gpu_ = stage.device;
            for (const FusedRun& fused : fused_runs(plan_.graph, stage)) check(fused);
        }
    }

private:
    const Node& node(int i) const { return plan_.graph.nodes[static_cast<std::size_t>(i)]; }

    void check(const FusedRun& fused) {
        for (const int reader : fused.nodes) {
            for (const Ref& source : node(reader).sources) {
                const std::optional<Place> operand = place_of(source);
                if (operand && !made_by(fused, operand->root)) check_operand(fused, *operand);
            }
        }
    }

    // Reports each node of the run that writes over the operand. Allowed are a node that reads the
    // operand and takes its exact place, and the nodes that go on in that place.
    void check_operand(const FusedRun& fused, const Place& operand) {
        bool taken_over = false;
        for (const int writer : fused.nodes) {
            const std::optional<Place> result = place_of({Ref::Kind::Node, writer});
            if (!result || !result->bytes.overlaps(operand.bytes)) continue;
            taken_over = taken_over || reads(writer, operand.root);
            if (taken_over && same(result->bytes, operand.bytes)) continue;
            report(fused, *result, operand);
        }
    }

    bool reads(int reader, Ref root) const {
        const std::vector<Ref>& sources = node(reader).sources;
        return std::any_of(sources.begin(), sources.end(), [&](const Ref& source) {
            const std::optional<Place> read = place_of(source);
            return read && read->root == root;
        });
    }

    void report(const FusedRun& fused, const Place& result, const Place& operand) {
        complain(violations_,
                 "node '{}' writes over '{}', which a kernel for {} from '{}' to '{}' "
                 "would still read",
                 result.name,
                 operand.name,
                 fused.pattern,
                 node(fused.nodes.front()).name,
                 node(fused.last()).name);
    }

    static bool same(const Extent& a, const Extent& b) {
        return a.begin == b.begin && a.end == b.end;
    }

    static bool made_by(const FusedRun& fused, Ref root) {
        return root.kind == Ref::Kind::Node &&
               std::find(fused.nodes.begin(), fused.nodes.end(), root.index) != fused.nodes.end();
    }

    // nullopt: it is not in the GPU's scratch.
    std::optional<Place> place_of(Ref of) const {
        const DeviceScratch& scratch = plan_.lowered.scratch.of(gpu_);
        if (of.kind == Ref::Kind::Node) of = root_on_gpu(of);
        const auto i = static_cast<std::size_t>(of.index);
        if (of.kind == Ref::Kind::Input) {
            const Input& input = plan_.graph.inputs[i];
            return placed({of, input.name, extent_of(scratch.inputs[i], input.alloc_bytes)});
        }
        if (of.kind != Ref::Kind::Node) return std::nullopt;
        const Node& made = node(of.index);
        const Bytes bytes = made.has_storage ? made.bytes : made.alloc_bytes;
        return placed({of, made.name, extent_of(scratch.nodes[i], bytes)});
    }

    static std::optional<Place> placed(const Place& place) {
        if (place.bytes.begin == kNoOffset) return std::nullopt;
        return place;
    }

    // What is read on the GPU: a view's storage, or the copy of a value that crosses.
    Ref root_on_gpu(Ref of) const {
        const bool crosses = plan_.lowered.cut.devices[static_cast<std::size_t>(of.index)] != gpu_;
        const Node& made = node(of.index);
        return made.has_storage && !crosses ? made.storage : of;
    }

    const PlanUnderTest& plan_;
    Violations& violations_;
    Device gpu_;  // the GPU whose run is looked at
};

}  // namespace

void check_fused(const PlanUnderTest& plan, Violations& violations) {
    FusedCheck(plan, violations).run();
}

}  // namespace pshard
