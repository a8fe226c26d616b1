// How the nodes of a graph are priced.
//
// In:   the graph of one tier, a depth, and what a profile says of the machine (a Roofline).
// Out:  for each processor and each node, the seconds that the node would take there by itself.
//
//     node -> signature -> seen before? -- yes --------------------------> prices
//                                |                                           ^
//                                no -> op_work -> Roofline::op_time for each processor
//                                      (with kv_reach)
//
// The layers of a model are alike, so most nodes do what some node before them did. Such nodes are
// found by a signature: 64 bits that hold all that the work of a node depends on. Thousands of
// nodes cost as many hashes and a few dozen prices.
//
// Traps: the signature must hold everything that op_work reads. Whoever lets op_work read something
// more adds it here; PriceGraph.AgreesWithPricingEachNodeAlone fails otherwise. The signature holds
// the cells that a source spans, but not the depth, which is the same for the whole graph. Only the
// price of a view is 0. A processor that the profile does not know gets no prices at all, since
// prices of 0 would make it look like the fastest one.
#include "cost/graph_cost.h"

#include <array>
#include <bit>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "cost/kv_reach.h"

namespace pshard {

namespace {

// Collects what an op's work depends on into 64 bits. Equal ops get equal signatures. The chance
// that two different ops of one graph get the same one is about 1e-15.
class Signature {
public:
    void add(std::uint64_t value) {
        hash_ = (std::rotl(hash_, 27) ^ value) * 0x9e3779b97f4a7c15u;
        hash_ ^= hash_ >> 29;
    }

    void add(std::string_view text) {
        for (const char c : text) add(static_cast<std::uint64_t>(static_cast<unsigned char>(c)));
        add(text.size());
    }

    void add(const Shape& shape) {
        for (const std::int64_t extent : shape) add(static_cast<std::uint64_t>(extent));
    }

    template <typename Tensor>
    void add_tensor(const Tensor& tensor) {
        add(std::string_view(tensor.type));
        add(tensor.shape);
        add(tensor.bytes);
    }

    [[nodiscard]] std::uint64_t value() const { return hash_; }

private:
    std::uint64_t hash_ = 0x243f6a8885a308d3u;
};

using Prices = std::array<std::optional<OpTime>, kAllProcessors.size()>;

class GraphPricer {
public:
    GraphPricer(const Graph& graph,
                const Inventory& inventory,
                const Roofline& roofline,
                std::uint32_t depth_tokens)
        : graph_(graph),
          inventory_(inventory),
          roofline_(roofline),
          reach_(kv_reach(graph, inventory, depth_tokens)) {
        prices_.reserve(256);
    }

    const Prices& price(std::size_t index) {
        const auto [at, is_new] = prices_.try_emplace(signature_of(index));
        if (is_new) at->second = fresh_price(index);
        return at->second;
    }

private:
    std::uint64_t signature_of(std::size_t index) const {
        const Node& node = graph_.nodes[index];
        Signature signature;
        if (computes_nothing(node)) return signature.value();
        signature.add(std::string_view(node.op));
        signature.add_tensor(node);
        for (const Ref& ref : node.sources) add_source(signature, ref);
        return signature.value();
    }

    void add_source(Signature& signature, const Ref& ref) const {
        signature.add_tensor(tensor_of(ref, graph_, inventory_));
        if (ref.kind != Ref::Kind::Node) return;
        // The cells, together with the streams in the shape, decide the fraction in use.
        signature.add(
            static_cast<std::uint64_t>(reach_.cells[static_cast<std::size_t>(ref.index)]));
    }

    Prices fresh_price(std::size_t index) const {
        const OpWork work = op_work(graph_, index, inventory_, reach_);
        Prices prices;
        for (const Processor processor : kAllProcessors) {
            prices[static_cast<std::size_t>(processor)] = roofline_.op_time(work, processor);
        }
        return prices;
    }

    const Graph& graph_;
    const Inventory& inventory_;
    const Roofline& roofline_;
    KvReach reach_;
    std::unordered_map<std::uint64_t, Prices> prices_;
};

void resize(ProcessorCost& cost, std::size_t n) {
    cost.seconds.resize(n);
    cost.bound_by.resize(n, Bound::Launch);
    cost.extrapolated.resize(n);
}

void put(ProcessorCost& cost, std::size_t index, const OpTime& time) {
    cost.seconds[index] = time.seconds;
    cost.bound_by[index] = time.bound_by;
    cost.extrapolated[index] = time.extrapolated ? 1 : 0;
}

}  // namespace

const ProcessorCost& GraphCost::on(Processor processor) const {
    if (processor == Processor::Gpu) return gpu;
    if (processor == Processor::GpuUnderCopies) return gpu_under_copies;
    return processor == Processor::Cpu ? cpu : cpu_under_copies;
}

GraphCost price_graph(const Graph& graph,
                      const Inventory& inventory,
                      const Roofline& roofline,
                      std::uint32_t depth_tokens) {
    GraphCost cost;
    cost.depth_tokens = depth_tokens;
    const std::array columns = {
        &cost.gpu, &cost.cpu, &cost.cpu_under_copies, &cost.gpu_under_copies};
    for (const Processor processor : kAllProcessors) {
        if (!roofline.knows(processor)) continue;
        ProcessorCost& column = *columns[static_cast<std::size_t>(processor)];
        resize(column, graph.nodes.size());
        column.graph_seconds = roofline.graph_seconds(processor);
    }
    GraphPricer pricer(graph, inventory, roofline, depth_tokens);
    for (std::size_t i = 0; i < graph.nodes.size(); i++) {
        const Prices& prices = pricer.price(i);
        for (std::size_t p = 0; p < prices.size(); p++) {
            if (prices[p]) put(*columns[p], i, *prices[p]);
        }
    }
    return cost;
}

GraphCost price_graph(const Graph& graph,
                      const Inventory& inventory,
                      const MachineProfile& profile,
                      std::uint32_t depth_tokens) {
    return price_graph(graph, inventory, Roofline(profile), depth_tokens);
}

}  // namespace pshard
