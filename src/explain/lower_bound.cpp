// Searches for the prices that prove the best lower bound (lower_bound.h has the proof).
//
// In: a problem (inventory, profile, budget, depth) and the graph of one tier. Out: the prices that
// prove the longest time, and that time.
//
//   graph + prices of the profile -> items -> proven(prices) -> the prices that prove most
//
// 1. Each node becomes an Item: its seconds on the GPU and on the CPU, and what it reads (Need), in
//    bytes if that is resident and in seconds of upload if it is not. Nodes that cost the same are
//    one item with a count, so that a model of 80 equal layers is as quick as one of 8.
// 2. proven() adds up the cheapest way of each item at given prices. As a sum of minima of linear
//    functions of the prices it is concave: it has one top, and no other hill to be caught on.
// 3. The maximum of a concave function over some of its variables is concave in the others. So the
//    top is found by three golden sections, one within the other:
//
//      price of the first sum  0 ........ 1
//        share of the second   0 ....... 1 of the rest; the link has what remains
//          price of a byte     0 .. the dearest upload that a byte can save
//
// The traps: what several nodes read is uploaded once, so each of them is charged an equal part;
// charged whole, the sum would not be a bound. The golden sections end 3e-8 of the
// range from the top, which costs tightness and never truth: any prices prove a bound. A byte may
// be worth nothing, and then the section stops short of 0, so 0 is tried by itself.
#include "explain/lower_bound.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "cost/state_traffic.h"

namespace pshard {
namespace {

// What a node reads of the model: its bytes if resident, its seconds if uploaded.
struct Need {
    double bytes = 0;
    Seconds upload = 0;
    bool state = false;

    auto operator<=>(const Need&) const = default;
};

// Nodes that cost the same.
struct Item {
    Seconds gpu = 0;  // below 0: the GPU cannot
    Seconds cpu = 0;
    Seconds held = 0;  // seconds that the link loses to `cpu`: `h` of the header
    std::vector<Need> needs;

    auto operator<=>(const Item&) const = default;
};

using Items = std::map<Item, double>;  // with the number of each

// The share of its own pace that the CPU keeps while the link copies: `a` of the header.
double cpu_pace(const GraphCost& cost, std::size_t node) {
    const Seconds alone = cost.cpu.seconds[node];
    if (!cost.cpu_under_copies.known() || alone <= 0) return 1;
    return alone / std::max(alone, cost.cpu_under_copies.seconds[node]);
}

// The share of its best rate that the link keeps while the CPU computes: `l` of the header.
double link_pace(const LinkRates& link) {
    return link.h2d_under_cpu_load / link.h2d_bytes_per_second;
}

// The share of the uploads' seconds that the CPU loses: `k` of the header.
double cpu_share_of_uploads(const Graph& graph, const GraphCost& cost, const LinkRates& link) {
    double pace = 0;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        if (!graph.nodes[i].is_view) pace = std::max(pace, cpu_pace(cost, i));
    }
    return std::min(1.0, (1 - pace) / link_pace(link));
}

class ItemMaker {
public:
    ItemMaker(const Problem& problem,
              const Graph& graph,
              const GraphCost& cost,
              const LinkRates& link)
        : inventory_(problem.inventory),
          graph_(graph),
          cost_(cost),
          link_(link),
          link_share_(link_pace(link)) {
        weight_readers_.resize(inventory_.weights.size());
        state_users_.resize(inventory_.states.size());
        for (const Node& node : graph.nodes) {
            for (const int w : weights_of(node)) ++weight_readers_[static_cast<std::size_t>(w)];
            for (const int s : states_of(node)) ++state_users_[static_cast<std::size_t>(s)];
        }
    }

    Items run() const {
        Items items;
        for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
            const Node& node = graph_.nodes[i];
            if (!node.is_view) items[item_of(node, i)] += 1;
        }
        return items;
    }

private:
    static void add_once(std::vector<int>& indices, int index) {
        if (std::find(indices.begin(), indices.end(), index) == indices.end()) {
            indices.push_back(index);
        }
    }

    static std::vector<int> weights_of(const Node& node) {
        std::vector<int> weights;
        if (node.is_view) return weights;
        for (const Ref& source : node.sources) {
            if (source.kind == Ref::Kind::Weight) add_once(weights, source.index);
        }
        return weights;
    }

    // States that a node writes into, or reads through a view.
    std::vector<int> states_of(const Node& node) const {
        std::vector<int> states;
        if (node.is_view) return states;
        if (node.has_storage && node.storage.kind == Ref::Kind::State) {
            add_once(states, node.storage.index);
        }
        for (const Ref& source : node.sources) {
            if (source.kind != Ref::Kind::Node) continue;
            const Node& made = graph_.nodes[static_cast<std::size_t>(source.index)];
            if (made.has_storage && made.storage.kind == Ref::Kind::State) {
                add_once(states, made.storage.index);
            }
        }
        return states;
    }

    Seconds upload(Bytes bytes) const {
        return static_cast<double>(bytes) / link_.h2d_bytes_per_second;
    }

    Item item_of(const Node& node, std::size_t i) const {
        const Seconds cpu = cost_.cpu.seconds[i];
        const double held = std::min(1.0, (1 - link_share_) / cpu_pace(cost_, i));
        Item item{node.device_supports ? cost_.gpu.seconds[i] : -1, cpu, cpu * held, {}};
        for (const int w : weights_of(node)) {
            const auto index = static_cast<std::size_t>(w);
            const Weight& weight = inventory_.weights[index];
            const WeightTraffic traffic =
                sliced_traffic(weight, inventory_.n_experts_used, graph_.n_tokens);
            const Bytes moved = std::min(weight.bytes, traffic.bytes);
            add_need(item, weight.alloc_bytes, moved, weight_readers_[index], false);
        }
        for (const int s : states_of(node)) {
            const auto index = static_cast<std::size_t>(s);
            const State& state = inventory_.states[index];
            const StateTraffic traffic =
                state_traffic(state, graph_, inventory_, cost_.depth_tokens);
            add_need(item, state.alloc_bytes, traffic.upload, state_users_[index], true);
        }
        std::sort(item.needs.begin(), item.needs.end());
        return item;
    }

    // Adds what several nodes read: each pays an equal part, all together never more than once.
    void add_need(Item& item, Bytes resident, Bytes moved, int readers, bool state) const {
        item.needs.push_back(
            {static_cast<double>(resident) / readers, upload(moved) / readers, state});
    }

    const Inventory& inventory_;
    const Graph& graph_;
    const GraphCost& cost_;
    const LinkRates& link_;
    double link_share_;
    std::vector<int> weight_readers_;
    std::vector<int> state_users_;
};

struct Work {
    Items items;
    double budget = 0;
    double uploads_of_cpu = 0;  // k of the header
    Overlap overlap = Overlap::Any;
};

std::optional<Work> work_of(const Problem& problem, const Graph& graph, Overlap overlap) {
    if (problem.profile == nullptr) return std::nullopt;
    const auto link = link_rates(*problem.profile);
    const std::uint32_t depth =
        std::min(problem.depth_tokens, full_depth(problem.inventory, graph));
    const GraphCost cost = price_graph(graph, problem.inventory, *problem.profile, depth);
    if (!link || !cost.gpu.known() || !cost.cpu.known()) return std::nullopt;
    return Work{ItemMaker(problem, graph, cost, *link).run(),
                static_cast<double>(problem.budget),
                cpu_share_of_uploads(graph, cost, *link),
                overlap};
}

// Prices of a second of each kind of work.
struct Rates {
    double gpu = 0;
    double cpu = 0;
    double upload = 0;
    double held = 0;
    double vram = 0;
};

Rates rates_of(const Work& work, const Prices& prices) {
    const double k = work.uploads_of_cpu;
    const double upload = prices.link + k * prices.second;
    if (work.overlap == Overlap::Any) {
        return {prices.first, prices.second, upload, prices.link, prices.vram};
    }
    return {prices.first + (1 - k) * prices.second,
            prices.first + prices.second,
            upload,
            prices.link,
            prices.vram};
}

// The cheapest way to a need. A state that stays with the CPU may also be read across, which holds
// up the GPU instead of the link.
Seconds cheapest(const Need& need, const Rates& rates) {
    const double moved = need.state ? std::min(rates.upload, rates.gpu) : rates.upload;
    return std::min(rates.vram * need.bytes, moved * need.upload);
}

Seconds proven(const Work& work, const Prices& prices) {
    const Rates rates = rates_of(work, prices);
    Seconds seconds = -rates.vram * work.budget;
    for (const auto& [item, count] : work.items) {
        Seconds least = rates.cpu * item.cpu + rates.held * item.held;
        if (item.gpu >= 0) {
            Seconds on_gpu = rates.gpu * item.gpu;
            for (const Need& need : item.needs) on_gpu += cheapest(need, rates);
            least = std::min(least, on_gpu);
        }
        seconds += count * least;
    }
    return seconds;
}

struct Best {
    double at = 0;
    double value = 0;
};

// Finds the top of a concave function over [low, high]: 36 golden sections leave 3e-8 of the range.
template <typename Function>
Best maximum(double low, double high, const Function& f) {
    constexpr double kGolden = 0.6180339887498949;
    double a = high - kGolden * (high - low);
    double b = low + kGolden * (high - low);
    double at_a = f(a);
    double at_b = f(b);
    for (int i = 0; i < 36; ++i) {
        if (at_a < at_b) {
            low = std::exchange(a, b);
            at_a = at_b;
            b = low + kGolden * (high - low);
            at_b = f(b);
        } else {
            high = std::exchange(b, a);
            at_b = at_a;
            a = high - kGolden * (high - low);
            at_a = f(a);
        }
    }
    return at_a < at_b ? Best{b, at_b} : Best{a, at_a};
}

// The most that a byte can be worth: the dearest upload that it can save.
double dearest_byte(const Work& work) {
    double most = 0;
    for (const auto& [item, count] : work.items) {
        for (const Need& need : item.needs) {
            if (need.bytes > 0) most = std::max(most, need.upload / need.bytes);
        }
    }
    return most;
}

// The bound at these prices of work, with the best price of a byte.
LowerBound priced(const Work& work, Prices prices, double dearest) {
    const auto with = [&](double vram) {
        prices.vram = vram;
        return proven(work, prices);
    };
    const Best best = maximum(0, rates_of(work, prices).upload * dearest, with);
    const Seconds free = with(0);
    prices.vram = free >= best.value ? 0 : best.at;
    return {std::max(best.value, free), prices};
}

// The best bound: the sum is concave in the prices, and so is its maximum over some of them.
LowerBound best_prices(const Work& work, double dearest) {
    const auto at = [&](double first, double share) {
        const double rest = 1 - first;
        return priced(work, {first, rest * share, rest * (1 - share), 0}, dearest);
    };
    const auto share_of = [&](double first) {
        return maximum(0, 1, [&](double share) { return at(first, share).seconds; });
    };
    const double first = maximum(0, 1, [&](double p) { return share_of(p).value; }).at;
    return at(first, share_of(first).at);
}

}  // namespace

std::optional<LowerBound> lower_bound(const Problem& problem, const Graph& graph, Overlap overlap) {
    const std::optional<Work> work = work_of(problem, graph, overlap);
    if (!work) return std::nullopt;
    const LowerBound bound = best_prices(*work, dearest_byte(*work));
    // Prices of 0 prove at least 0.
    return bound.seconds > 0 ? bound : LowerBound{};
}

std::optional<Seconds> proven_seconds(const Problem& problem,
                                      const Graph& graph,
                                      Overlap overlap,
                                      const Prices& prices) {
    const std::optional<Work> work = work_of(problem, graph, overlap);
    if (!work) return std::nullopt;
    return proven(*work, prices);
}

}  // namespace pshard
