// Checks the scratch by running the graph in thought.
//
// In: a graph, its cut and the addresses of all values on all devices. Out: one line for each read
// that would not find the value that was written.
//
// A Memory for each device knows who owns which bytes. The check walks the stages in order. At the
// begin of a stage it brings over what the stage reads from other devices; then, node by node, it
// reads the sources and writes the result. To write is to claim bytes: whoever had any of them has
// lost its value, and the check notes to whom. To read is to ask whether the value still owns its
// bytes, in the version that was written last:
//
//   bytes     0       8       16
//   n0        [n0    ]                 n0 owns 0..8
//   n1        [n0    ][n1    ]
//   n2        [n2            ]         n2 has taken the bytes of n0 and n1
//   n3 reads n1                        fault: "reads 'n1', and 'n2' has taken its bytes"
//
// A node may write over its own operand only where ggml's ops read each element, or each row,
// before they write it; this file has its own lists of those ops, on purpose. A view has no bytes
// of its own: its storage is asked. A copy that was made before its storage was written again is an
// older version.

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "inventory/tensor_view.h"
#include "verify/checks.h"

namespace pshard {
namespace {

// What may lie in the scratch of a device: a node's value (or its copy, on another device), an
// input's copy, an uploaded weight.
struct Value {
    Ref of;
    int version = 0;  // how often its storage had been written when this was made

    bool operator==(const Value&) const = default;
};

// The scratch of one device while the graph runs: who owns which bytes.
class Memory {
public:
    Memory(const PlanUnderTest& plan, Device device)
        : plan_(plan), device_(device), layout_(plan.lowered.scratch.of(device)) {}

    Bytes offset(Ref of) const {
        const auto i = static_cast<std::size_t>(of.index);
        switch (of.kind) {
            case Ref::Kind::Node:
                return layout_.nodes[i];
            case Ref::Kind::Input:
                return layout_.inputs[i];
            case Ref::Kind::Weight:
                return layout_.weights[i];
            case Ref::Kind::State:
                break;
        }
        return kNoOffset;
    }

    Extent extent(Ref of) const {
        const auto i = static_cast<std::size_t>(of.index);
        switch (of.kind) {
            case Ref::Kind::Node:
                return extent_of(offset(of), node_bytes(plan_.graph.nodes[i]));
            case Ref::Kind::Input:
                return extent_of(offset(of), plan_.graph.inputs[i].alloc_bytes);
            case Ref::Kind::Weight:
                return extent_of(offset(of), plan_.inventory.weights[i].alloc_bytes);
            case Ref::Kind::State:
                break;
        }
        return {};
    }

    const std::string& name(Ref of) const {
        const auto i = static_cast<std::size_t>(of.index);
        switch (of.kind) {
            case Ref::Kind::Node:
                return plan_.graph.nodes[i].name;
            case Ref::Kind::Input:
                return plan_.graph.inputs[i].name;
            case Ref::Kind::Weight:
                return plan_.inventory.weights[i].name;
            case Ref::Kind::State:
                break;
        }
        return plan_.inventory.states[i].name;
    }

    // A view has memory only where it is copied to another device.
    static Bytes node_bytes(const Node& node) {
        return node.has_storage ? node.bytes : node.alloc_bytes;
    }

    Bytes peak() const { return layout_.peak; }

    Device device() const { return device_; }

    bool holds(const Value& value) const {
        const Extent bytes = extent(value.of);
        if (bytes.begin == bytes.end && bytes.begin != kNoOffset) return true;
        const auto found = owned_.find(offset(value.of));
        return found != owned_.end() && found->second.value == value;
    }

    // Whether the bytes hold the value as it was before its storage was written again.
    bool holds_older(const Value& value) const {
        const auto found = owned_.find(offset(value.of));
        return found != owned_.end() && found->second.value.of == value.of && !holds(value);
    }

    // Takes the value's bytes from whoever had them.
    void claim(const Value& value) {
        const Extent extent = this->extent(value.of);
        if (extent.begin == extent.end) return;
        auto claim = owned_.upper_bound(extent.begin);
        if (claim != owned_.begin() && std::prev(claim)->second.end > extent.begin) --claim;
        while (claim != owned_.end() && claim->first < extent.end) {
            lost_to_[key(claim->second.value.of)] = value.of;
            claim = owned_.erase(claim);
        }
        owned_[extent.begin] = {extent.end, value};
        lost_to_.erase(key(value.of));
    }

    // Notes that the same bytes were written again in place.
    void renew(const Value& value) { owned_[offset(value.of)].value = value; }

    // Who took the value's bytes; nullopt: nobody.
    std::optional<Ref> thief(Ref of) const {
        const auto found = lost_to_.find(key(of));
        if (found == lost_to_.end()) return std::nullopt;
        return found->second;
    }

private:
    struct Claim {
        Bytes end = 0;
        Value value;
    };

    static std::pair<int, int> key(Ref of) { return {static_cast<int>(of.kind), of.index}; }

    const PlanUnderTest& plan_;
    Device device_;
    const DeviceScratch& layout_;
    std::map<Bytes, Claim> owned_;                // by begin; never overlapping
    std::map<std::pair<int, int>, Ref> lost_to_;  // values that others have taken the bytes of
};

template <std::size_t N>
bool is_one_of(const std::string& op, const std::array<std::string_view, N>& ops) {
    return std::find(ops.begin(), ops.end(), op) != ops.end();
}

// Ops that read each element before they write it: they may write over an operand.
bool is_elementwise(const std::string& op) {
    static constexpr auto kOps = std::to_array<std::string_view>(
        {"ADD",  "ADD1",     "SUB",        "MUL",   "DIV",   "SCALE",     "SQR",
         "SQRT", "LOG",      "SIN",        "COS",   "CLAMP", "FILL",      "ABS",
         "SGN",  "NEG",      "STEP",       "TANH",  "ELU",   "RELU",      "SIGMOID",
         "GELU", "GELU_ERF", "GELU_QUICK", "SILU",  "XIELU", "HARDSWISH", "HARDSIGMOID",
         "EXP",  "EXPM1",    "SOFTPLUS",   "FLOOR", "CEIL",  "ROUND",     "TRUNC"});
    return is_one_of(op, kOps);
}

// Ops that read each row before they write it: they may write over the first operand.
bool is_rowwise(const std::string& op) {
    static constexpr auto kOps = std::to_array<std::string_view>({"RMS_NORM",
                                                                  "NORM",
                                                                  "L2_NORM",
                                                                  "SOFT_MAX",
                                                                  "ROPE",
                                                                  "ADD_ID",
                                                                  "DIAG_MASK_ZERO",
                                                                  "DIAG_MASK_INF"});
    return is_one_of(op, kOps);
}

class ScratchCheck {
public:
    ScratchCheck(const PlanUnderTest& plan, Violations& violations)
        : plan_(plan),
          violations_(violations),
          n_gpus_(plan.lowered.cut.n_gpus),
          node_versions_(plan.graph.nodes.size(), 0),
          state_versions_(plan.inventory.states.size(), 0) {
        for (int g = 0; g < n_gpus_; g++) memories_.emplace_back(plan, Device::gpu(g));
        memories_.emplace_back(plan, Device::Cpu);
    }

    void run() {
        for (const Stage& stage : plan_.lowered.cut.stages) {
            for (int i = stage.node_begin; i < stage.node_end; i++) bring_over(i);
            for (int i = stage.node_begin; i < stage.node_end; i++) compute(i);
        }
        for (std::size_t i = 0; i < plan_.graph.nodes.size(); i++) output(static_cast<int>(i));
        for (int g = 0; g < n_gpus_; g++) room(static_cast<std::size_t>(g));
    }

private:
    void room(std::size_t gpu) {
        const Bytes given = plan_.arenas[gpu].arena.scratch;
        const Bytes peak = plan_.lowered.scratch.gpus[gpu].peak;
        if (given >= peak) return;
        complain(violations_, "the arena has {} bytes of scratch, the peak is {}", given, peak);
    }

    const Node& node_at(int index) const {
        return plan_.graph.nodes[static_cast<std::size_t>(index)];
    }

    Device device_at(int index) const {
        return plan_.lowered.cut.devices[static_cast<std::size_t>(index)];
    }

    Memory& memory(Device device) { return memories_[device.index(n_gpus_)]; }

    int version_of(Ref root) const {
        const auto i = static_cast<std::size_t>(root.index);
        if (root.kind == Ref::Kind::Node) return node_versions_[i];
        return root.kind == Ref::Kind::State ? state_versions_[i] : 0;
    }

    // What a node must find in the scratch of its device when it reads the source; nullopt if it
    // reads elsewhere: a weight or a state in its place, an input in the host's memory.
    std::optional<Value> expected(Device device, Ref source) {
        const Ref root = root_of(source, plan_.graph);
        const Memory& here = memory(device);
        const bool view_crosses =
            source.kind == Ref::Kind::Node && device_at(source.index) != device;
        switch (root.kind) {
            case Ref::Kind::Weight:
                if (view_crosses) return Value{source, 0};  // the view is copied, not its storage
                if (device_of(
                        plan_.lowered.placement.weights[static_cast<std::size_t>(root.index)]) ==
                    device)
                    return std::nullopt;
                return Value{root, 0};
            case Ref::Kind::Input:
                if (view_crosses) return Value{source, 0};
                if (device == Device::Cpu && here.offset(root) == kNoOffset) return std::nullopt;
                return Value{root, 0};
            case Ref::Kind::State:
                if (source.kind == Ref::Kind::State || device_at(source.index) == device)
                    return std::nullopt;
                return Value{source, version_of(root)};
            case Ref::Kind::Node:
                break;
        }
        const bool own = device_at(root.index) == device;
        return Value{own ? root : source, version_of(root)};  // a copy is of the view
    }

    // Makes the copies, at the start of a stage, of what a node reads from other devices.
    void bring_over(int index) {
        const Node& node = node_at(index);
        if (node.is_view) return;
        const Device device = device_at(index);
        Memory& here = memory(device);
        for (const Ref& source : node.sources) {
            const auto value = expected(device, source);
            if (!value || value->of.kind == Ref::Kind::Weight || is_own(*value, device)) continue;
            const bool brought = here.holds(*value) || here.holds_older(*value);
            if (brought || here.thief(value->of)) continue;  // once, for all stages
            check_origin(node, source);
            claim(here, *value);
        }
    }

    bool is_own(const Value& value, Device device) const {
        return value.of.kind == Ref::Kind::Node && root_of(value.of, plan_.graph) == value.of &&
               device_at(value.of.index) == device;
    }

    // Checks that what is copied is whole where it was made.
    void check_origin(const Node& reader, Ref source) {
        const Ref root = root_of(source, plan_.graph);
        if (root.kind != Ref::Kind::Node) return;
        expect_whole(memory(device_at(root.index)),
                     {root, version_of(root)},
                     "the copy for '" + reader.name + "'");
    }

    void compute(int index) {
        const Node& node = node_at(index);
        if (node.is_view) return;
        const Device device = device_at(index);
        Memory& here = memory(device);
        for (const Ref& source : node.sources) {
            const auto value = expected(device, source);
            if (!value) continue;
            const bool weight = value->of.kind == Ref::Kind::Weight;
            if (weight && here.offset(value->of) == kNoOffset) continue;  // check_cut() tells
            if (weight && !here.holds(*value)) claim(here, *value);
        }
        for (const Ref& source : node.sources) read(node, device, source);
        node.has_storage ? write_into_storage(node, here) : write(node, index, here);
    }

    void read(const Node& node, Device device, Ref source) {
        const auto value = expected(device, source);
        const Memory& here = memory(device);
        if (!value) return;
        if (value->of.kind == Ref::Kind::Weight && here.offset(value->of) == kNoOffset) return;
        expect_whole(here, *value, "node '" + node.name + "'");
    }

    void write(const Node& node, int index, Memory& here) {
        const Value made{{Ref::Kind::Node, index}, 0};
        for (std::size_t i = 0; i < node.sources.size(); i++) {
            if (!overlaps(made, node.sources[i], here)) continue;
            if (may_write_over(node, made, i, here)) continue;
            complain(violations_,
                     "node '{}' ({}) writes over its operand '{}'",
                     node.name,
                     node.op,
                     here.name(node.sources[i]));
        }
        claim(here, made);
    }

    bool overlaps(const Value& made, Ref source, Memory& here) {
        const auto value = expected(here.device(), source);
        return value && here.offset(value->of) != kNoOffset &&
               here.extent(value->of).overlaps(here.extent(made.of));
    }

    // Whether the op may run in place: it goes by elements or rows, so that the operand must lie as
    // the result does.
    bool may_write_over(const Node& node, const Value& made, std::size_t source, Memory& here) {
        const Ref ref = node.sources[source];
        const auto value = expected(here.device(), ref);
        if (ref.kind != Ref::Kind::Node || here.offset(value->of) != here.offset(made.of))
            return false;
        const Node& operand = node_at(ref.index);
        const bool same = operand.shape == node.shape && operand.type == node.type &&
                          operand.contiguous && node.contiguous;
        const bool whole = value->of == ref || node_at(value->of.index).bytes == operand.bytes;
        return same && whole && (is_elementwise(node.op) || (source == 0 && is_rowwise(node.op)));
    }

    void write_into_storage(const Node& node, Memory& here) {
        const auto i = static_cast<std::size_t>(node.storage.index);
        if (node.storage.kind == Ref::Kind::State) state_versions_[i]++;
        if (node.storage.kind != Ref::Kind::Node) return;
        const bool whole =
            expect_whole(here, {node.storage, node_versions_[i]}, "node '" + node.name + "'");
        node_versions_[i]++;
        if (whole) here.renew({node.storage, node_versions_[i]});
    }

    void output(int index) {
        const Node& node = node_at(index);
        if (!node.is_output) return;
        const Ref root = root_of({Ref::Kind::Node, index}, plan_.graph);
        if (root.kind != Ref::Kind::Node) return;
        expect_whole(
            memory(device_at(root.index)), {root, version_of(root)}, "the end of the graph");
    }

    bool expect_whole(const Memory& here, const Value& value, const std::string& reader) {
        if (here.holds(value)) return true;
        complain(violations_,
                 "{} reads '{}' in the {}'s scratch, {}",
                 reader,
                 here.name(value.of),
                 device_text(here.device()),
                 missing_text(here, value));
        return false;
    }

    static std::string missing_text(const Memory& here, const Value& value) {
        if (here.holds_older(value)) return "which was copied before it was written again";
        const auto thief = here.thief(value.of);
        if (!thief) return "and it is not there";
        return "and '" + here.name(*thief) + "' has taken its bytes";
    }

    void claim(Memory& here, const Value& value) {
        const Extent extent = here.extent(value.of);
        const std::string& name = here.name(value.of);
        if (here.offset(value.of) == kNoOffset) {
            complain(violations_,
                     "'{}' has no address in the {}'s scratch",
                     name,
                     device_text(here.device()));
            return;
        }
        if (extent.end > here.peak()) {
            complain(violations_,
                     "'{}' at [{}, {}) is beyond the {}'s scratch of {}",
                     name,
                     extent.begin,
                     extent.end,
                     device_text(here.device()),
                     here.peak());
        }
        if (extent.begin % plan_.inventory.device.alignment != 0) {
            complain(violations_,
                     "'{}' at {} is not aligned to {}",
                     name,
                     extent.begin,
                     plan_.inventory.device.alignment);
        }
        here.claim(value);
    }

    const PlanUnderTest& plan_;
    Violations& violations_;
    int n_gpus_;
    std::vector<Memory> memories_;  // by Device::index
    std::vector<int> node_versions_;
    std::vector<int> state_versions_;
};

}  // namespace

void check_scratch(const PlanUnderTest& plan, Violations& violations) {
    ScratchCheck(plan, violations).run();
}

}  // namespace pshard
