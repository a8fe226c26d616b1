#include "plan/fused_runs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "ops/op_table.h"

namespace pshard {
namespace {

enum class Times : std::uint8_t { Once, Maybe, Repeated };

enum class Reads : std::uint8_t { Run, Anything };  // a node of the run, in person or by a view

struct Step {
    OpSet ops;
    Times times = Times::Once;
    Reads reads = Reads::Run;
};

struct Pattern {
    const char* name;
    std::int64_t most_columns;  // that the first node may have; more are not fused
    std::vector<Step> steps;
};

constexpr std::int64_t kAnyNumber = std::int64_t{1} << 62U;
constexpr std::int64_t kVectorKernelColumns = 8;  // MMVQ_MAX_BATCH_SIZE, MMVF_MAX_BATCH_SIZE

std::vector<Pattern> make_patterns() {
    const Step matmul{{"MUL_MAT", "MUL_MAT_ID"}, Times::Once, Reads::Anything};
    const Step scale_rows{{"REPEAT"}, Times::Maybe, Reads::Anything};
    const Step scale_of_experts{{"GET_ROWS"}, Times::Maybe};
    const Step scale{{"MUL"}, Times::Maybe};
    const Step bias{{"ADD", "ADD_ID"}, Times::Maybe};
    const Step gated{{"SWIGLU", "GEGLU", "SWIGLU_OAI", "SWIGLU_CLAMP"}};
    const Step sum{{"SUM_ROWS"}, Times::Maybe};
    const Step least{{"CLAMP"}, Times::Maybe};
    const Step norm{{"DIV"}, Times::Maybe};
    const Step factor{{"SCALE"}, Times::Maybe};
    return {
        {"gated matmuls",
         kVectorKernelColumns,
         {matmul,
          scale_rows,
          scale_of_experts,
          scale,
          bias,
          matmul,
          scale_rows,
          scale_of_experts,
          scale,
          bias,
          gated}},
        {"choice of experts",
         kAnyNumber,
         {{{"SOFT_MAX", "SIGMOID", "SOFTPLUS"}},
          {{"SQRT"}, Times::Maybe},
          {{"ADD"}, Times::Maybe},
          {{"ARGSORT"}},
          {{"GET_ROWS"}},
          sum,
          least,
          norm,
          factor}},
        {"choice of experts, softmax last",
         kAnyNumber,
         {{{"ARGSORT"}}, {{"GET_ROWS"}}, {{"SOFT_MAX"}}, factor}},
        {"choice of rows",
         kAnyNumber,
         {{{"GET_ROWS"}},
          {{"CONT"}},
          {{"CPY"}, Times::Once, Reads::Anything},
          {{"ADD"}},
          {{"TOP_K"}}}},
        {"sum of experts",
         kAnyNumber,
         {{{"MUL"}}, {{"MUL"}, Times::Maybe}, {{"ADD"}, Times::Repeated}}},
        {"norm and rotation", kAnyNumber, {{{"RMS_NORM"}}, {{"MUL"}}, {{"ROPE"}}}},
        {"snake", kAnyNumber, {{{"MUL"}}, {{"SIN"}}, {{"SQR"}}, {{"MUL"}}, {{"ADD"}}}},
    };
}

// The patterns by the row of the op that they begin with: most ops begin none.
class PatternTable {
public:
    PatternTable() : patterns_(make_patterns()), by_first_(op_rules().size() + 1) {
        for (const OpRule& rule : op_rules()) {
            for (const Pattern& pattern : patterns_) {
                if (pattern.steps.front().ops.contains(rule)) of_row(rule).push_back(&pattern);
            }
        }
    }

    [[nodiscard]] const std::vector<const Pattern*>& beginning_with(const OpRule& rule) const {
        return by_first_[row_of(rule)];
    }

private:
    // An op without a row has the row behind all others.
    static std::size_t row_of(const OpRule& rule) {
        return static_cast<std::size_t>(&rule - op_rules().data());
    }

    std::vector<const Pattern*>& of_row(const OpRule& rule) { return by_first_[row_of(rule)]; }

    std::vector<Pattern> patterns_;
    std::vector<std::vector<const Pattern*>> by_first_;
};

const PatternTable& patterns() {
    static const PatternTable all;
    return all;
}

class Matcher {
public:
    Matcher(const Graph& graph, const Stage& stage) : graph_(graph) {
        for (int i = stage.node_begin; i < stage.node_end; ++i) {
            if (node(i).is_view) continue;
            nodes_.push_back(i);
            rules_.push_back(&op_rule(node(i).op));
        }
    }

    // The run that begins at the stage's node `begin`, views not counted, whose op begins the
    // pattern; without nodes: there is none.
    FusedRun match(const Pattern& pattern, std::size_t begin) {
        run_ = {pattern.name, {}};
        at_ = begin;
        if (columns(node(nodes_[begin])) > pattern.most_columns) return {};
        for (const Step& step : pattern.steps) {
            bool taken = take(step);
            if (!taken && step.times != Times::Maybe) return {};
            while (taken && step.times == Times::Repeated) taken = take(step);
        }
        return std::move(run_);
    }

    // Of the stage's nodes, views not counted.
    const std::vector<const OpRule*>& rules() const { return rules_; }

private:
    const Node& node(int i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }

    static std::int64_t columns(const Node& node) {
        return node.shape[op_rule(node.op).family == OpFamily::MatMulId ? 2 : 1];
    }

    bool take(const Step& step) {
        if (at_ == nodes_.size()) return false;
        if (!step.ops.contains(*rules_[at_])) return false;
        const bool linked =
            step.reads == Reads::Anything || run_.nodes.empty() || reads_run(node(nodes_[at_]));
        if (!linked) return false;
        run_.nodes.push_back(nodes_[at_++]);
        return true;
    }

    bool reads_run(const Node& reader) const {
        return std::any_of(reader.sources.begin(), reader.sources.end(), [&](const Ref& source) {
            return source.kind == Ref::Kind::Node && in_run(source.index);
        });
    }

    bool in_run(int index) const {
        const Node& read = node(index);
        const bool by_view = read.is_view && read.has_storage;
        if (by_view && read.storage.kind != Ref::Kind::Node) return false;
        const int value = by_view ? read.storage.index : index;
        return std::find(run_.nodes.begin(), run_.nodes.end(), value) != run_.nodes.end();
    }

    const Graph& graph_;
    std::vector<int> nodes_;
    std::vector<const OpRule*> rules_;  // of nodes_
    FusedRun run_;
    std::size_t at_ = 0;
};

}  // namespace

std::vector<FusedRun> fused_runs(const Graph& graph, const Stage& stage) {
    std::vector<FusedRun> runs;
    Matcher matcher(graph, stage);
    const PatternTable& table = patterns();
    for (std::size_t begin = 0; begin < matcher.rules().size(); ++begin) {
        for (const Pattern* pattern : table.beginning_with(*matcher.rules()[begin])) {
            FusedRun run = matcher.match(*pattern, begin);
            if (!run.nodes.empty()) runs.push_back(std::move(run));
        }
    }
    return runs;
}

FusedRuns::FusedRuns(const Graph& graph)
    : graph_(graph),
      runs_(fused_runs(graph, {Device::Gpu, 0, static_cast<int>(graph.nodes.size())})) {}

std::vector<FusedRun> FusedRuns::of(const Stage& stage) const {
    const auto first_node = [](const FusedRun& run) { return run.nodes.front(); };
    std::vector<FusedRun> runs;
    auto run = std::ranges::lower_bound(runs_, stage.node_begin, {}, first_node);
    for (; run != runs_.end() && first_node(*run) < stage.node_end; ++run) {
        if (run->last() < stage.node_end) {
            runs.push_back(*run);
            continue;
        }
        const Stage rest{stage.device, first_node(*run), stage.node_end};
        for (FusedRun& shorter : fused_runs(graph_, rest)) {
            const bool same = first_node(shorter) == first_node(*run) &&
                              std::string_view(shorter.pattern) == run->pattern;
            if (same) runs.push_back(std::move(shorter));
        }
    }
    return runs;
}

}  // namespace pshard
