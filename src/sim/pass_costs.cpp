// Prices the steps of a pass.
//
// In: a cut graph, the seconds of each node on each processor (cost/graph_cost.h) and the rates of
// the links. Out: the seconds of each stage, Load and Store, alone and beside what slows them down;
// and for the GPUs and the CPU what most of their time goes to.
//
//   stage   = what it reads from other devices, over their links and its own, each with a hand-over
//           + the launch of a graph + its nodes; beside copies: each node at its loaded price
//   Load    = its weights and states over the link of its GPU; if experts are on demand, the share
//             of them that a batch of this size uses, after one hand-over for the ids
//   Store   = the rows of the states that the pass wrote
//
// If only a share of the host's memory can be page-locked, that share of each Load goes at the
// locked rate and the rest at the pageable one. A node under copies is never faster than alone,
// even where the profile says so: its two columns were measured apart.
//
// As stock runs it (OpOffload::Stock) a node pays for the upload of its CPU weight, from pageable
// memory, once in a pass [A29].
#include "sim/pass_costs.h"

#include <algorithm>

#include "cost/state_traffic.h"

namespace pshard {
namespace {

class Pricer {
public:
    Pricer(const Inventory& inventory,
           const Graph& graph,
           const Placement& placement,
           const StageCut& cut,
           const PassContext& context)
        : inventory_(inventory),
          graph_(graph),
          placement_(placement),
          cut_(cut),
          context_(context),
          uploaded_(inventory.weights.size()) {}

    PassCosts run() {
        for (int s = 0; s < static_cast<int>(cut_.stages.size()); ++s) {
            costs_.stages.push_back(stage_duration(s));
        }
        for (const StreamGroup& group : cut_.groups) {
            costs_.slots.push_back(group.slot);
            costs_.loads.push_back(load_duration(group));
            costs_.stores.push_back(store_duration(group));
        }
        return std::move(costs_);
    }

private:
    const GraphCost& graph_cost(int gpu) const {
        return context_.gpus[static_cast<std::size_t>(gpu)].graph_cost;
    }

    const LinkRates& link(int gpu) const {
        return context_.gpus[static_cast<std::size_t>(gpu)].link;
    }

    Duration stage_duration(int s) {
        const Stage& stage = cut_.stages[static_cast<std::size_t>(s)];
        const bool gpu = stage.device.is_gpu();
        const GraphCost& cost = graph_cost(gpu ? stage.device.number : 0);
        const Seconds begin =
            crossing_seconds(s, stage) + (gpu ? cost.gpu.graph_seconds : cost.cpu.graph_seconds);
        Duration duration{begin, begin};
        (gpu ? costs_.gpu : costs_.cpu).launch += begin;
        for (int i = stage.node_begin; i < stage.node_end; ++i) {
            gpu ? add_gpu_node(i, cost, duration) : add_cpu_node(i, duration);
        }
        return duration;
    }

    // Seconds of what the stage reads from elsewhere: down the links of the GPUs that made it, then
    // up the stage's own link.
    Seconds crossing_seconds(int s, const Stage& stage) {
        Seconds seconds = 0;
        for (; next_hop_ < cut_.hops.size() && cut_.hops[next_hop_].stage == s; ++next_hop_) {
            const Hop& hop = cut_.hops[next_hop_];
            const LinkRates& down = link(hop.from_gpu);
            seconds += download_seconds({hop.bytes, 1, HostMemory::PageLocked}, down) +
                       down.switch_seconds;
        }
        if (!stage.device.is_gpu() || stage.bytes_in == 0) return seconds;
        const LinkRates& up = link(stage.device.number);
        return seconds + upload_seconds({stage.bytes_in, 1, HostMemory::PageLocked}, up) +
               up.switch_seconds;
    }

    void add_gpu_node(int i, const GraphCost& cost, Duration& duration) {
        const auto index = static_cast<std::size_t>(i);
        const ProcessorCost& gpu = cost.gpu;
        const ProcessorCost& loaded = cost.gpu_under_copies;
        const Seconds seconds = gpu.seconds[index];
        tally(costs_.gpu, gpu, index, seconds);
        const Seconds upload = offload_seconds(graph_.nodes[index]);
        costs_.gpu.memory += upload;
        duration.alone += seconds + upload;
        duration.contended += upload + contended_seconds(seconds, loaded, index);
    }

    void add_cpu_node(int i, Duration& duration) {
        const auto index = static_cast<std::size_t>(i);
        const GraphCost& cost = graph_cost(0);
        const Seconds alone = cost.cpu.seconds[index];
        duration.alone += alone;
        duration.contended += contended_seconds(alone, cost.cpu_under_copies, index);
        tally(costs_.cpu, cost.cpu, index, alone);
    }

    static Seconds contended_seconds(Seconds alone,
                                     const ProcessorCost& loaded,
                                     std::size_t index) {
        return loaded.known() ? std::max(alone, loaded.seconds[index]) : alone;
    }

    static void tally(LaneBound& bound,
                      const ProcessorCost& cost,
                      std::size_t index,
                      Seconds seconds) {
        switch (cost.bound_by[index]) {
            case Bound::Compute:
                bound.compute += seconds;
                break;
            case Bound::Memory:
                bound.memory += seconds;
                break;
            case Bound::Launch:
                bound.launch += seconds;
                break;
        }
        bound.extrapolated = bound.extrapolated || cost.extrapolated[index] != 0;
    }

    // Seconds of stock's uploads for a node: each CPU weight serially, from the pageable mapping of
    // the file [A29], and only those routed experts that the batch uses.
    Seconds offload_seconds(const Node& node) {
        if (context_.offload != OpOffload::Stock) return 0;
        Seconds seconds = 0;
        for (const Ref& source : node.sources) {
            const auto index = static_cast<std::size_t>(source.index);
            if (source.kind != Ref::Kind::Weight || placement_.weights[index] != Lane::Cpu)
                continue;
            if (uploaded_[index]) continue;
            uploaded_[index] = true;
            const WeightTraffic traffic = sliced_traffic(
                inventory_.weights[index], inventory_.n_experts_used, graph_.n_tokens);
            const Copy copy{traffic.bytes, traffic.pieces, HostMemory::Pageable};
            seconds += upload_seconds(copy, link(0)) + link(0).switch_seconds;
        }
        return seconds;
    }

    Duration load_duration(const StreamGroup& group) const {
        const LinkRates& link = this->link(group.slot.gpu);
        const Seconds begin = group.on_demand ? link.switch_seconds : 0;
        Duration duration{begin, begin, begin, begin};
        for (const int w : group.weights) {
            const Weight& weight = inventory_.weights[static_cast<std::size_t>(w)];
            add_load(group.on_demand
                         ? sliced_traffic(weight, inventory_.n_experts_used, graph_.n_tokens)
                         : whole_traffic(weight),
                     link,
                     duration);
        }
        for (const int s : group.states) add_load({traffic_of(s).upload, 1}, link, duration);
        return duration;
    }

    StateTraffic traffic_of(int state) const {
        return state_traffic(inventory_.states[static_cast<std::size_t>(state)],
                             graph_,
                             inventory_,
                             graph_cost(0).depth_tokens);
    }

    void add_load(const WeightTraffic& traffic, const LinkRates& link, Duration& duration) const {
        duration.alone += mixed_seconds(traffic, link, Beside::Nothing);
        duration.contended += mixed_seconds(traffic, link, Beside::Cpu);
        duration.beside_gpu += mixed_seconds(traffic, link, Beside::Gpu);
        duration.beside_copy += mixed_seconds(traffic, link, Beside::OtherWay);
    }

    // Seconds of an upload of which only a share comes from page-locked memory.
    Seconds mixed_seconds(const WeightTraffic& traffic,
                          const LinkRates& link,
                          Beside beside) const {
        const double share = context_.page_locked_share;
        const Copy locked{traffic.bytes, traffic.pieces, HostMemory::PageLocked, beside};
        if (share >= 1) return upload_seconds(locked, link);
        const Copy pageable{traffic.bytes, traffic.pieces, HostMemory::Pageable, beside};
        return share * upload_seconds(locked, link) + (1 - share) * upload_seconds(pageable, link);
    }

    // A Store goes at its own pace: nobody has measured how much computing slows a download down.
    Duration store_duration(const StreamGroup& group) const {
        const LinkRates& link = this->link(group.slot.gpu);
        Duration duration;
        for (const int s : group.states) {
            const Copy alone{traffic_of(s).download, 1, HostMemory::PageLocked};
            Copy beside_copy = alone;
            beside_copy.beside = Beside::OtherWay;
            duration.alone += download_seconds(alone, link);
            duration.beside_copy += download_seconds(beside_copy, link);
        }
        duration.contended = duration.alone;
        duration.beside_gpu = duration.alone;
        return duration;
    }

    const Inventory& inventory_;
    const Graph& graph_;
    const Placement& placement_;
    const StageCut& cut_;
    const PassContext& context_;
    std::size_t next_hop_ = 0;
    std::vector<bool> uploaded_;
    PassCosts costs_;
};

}  // namespace

PassCosts price_pass(const Inventory& inventory,
                     const Graph& graph,
                     const Placement& placement,
                     const StageCut& cut,
                     const PassContext& context) {
    return Pricer(inventory, graph, placement, cut, context).run();
}

}  // namespace pshard
