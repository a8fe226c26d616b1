#include "inventory/inventory_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "inventory/inventory_fields.h"

namespace pshard {
namespace {

using namespace text;

constexpr std::string_view kMagic = "pshard-inventory";
constexpr std::uint32_t kVersion = 4;
constexpr std::uint64_t kMaxRecords = 1 << 24;

// ---- writing records ----

// "key value" lines under a title.
template <typename Record, std::size_t N>
void write_block(std::string& out,
                 std::string_view title,
                 const Record& record,
                 const std::array<Field<Record>, N>& fields) {
    out += title;
    out += '\n';
    for (const Field<Record>& field : fields) {
        out += field.name;
        out += ' ';
        field.write(out, record);
        out += '\n';
    }
}

// One line; a run of k fields that are the same in `previous` is written "=k".
template <typename Record, std::size_t N>
void write_line(std::string& out,
                const Record& record,
                const Record* previous,
                const std::array<Field<Record>, N>& fields) {
    for (std::size_t i = 0; i < N;) {
        if (i > 0) out += ' ';
        std::size_t run = 0;
        while (previous != nullptr && i + run < N && fields[i + run].same(record, *previous)) ++run;
        if (run > 0) {
            out += '=';
            put(out, run);
            i += run;
        } else {
            fields[i++].write(out, record);
        }
    }
    out += '\n';
}

template <typename Record, std::size_t N>
void write_table(std::string& out,
                 std::string_view title,
                 const std::vector<Record>& records,
                 const std::vector<Record>* previous,
                 const std::array<Field<Record>, N>& fields) {
    out += fmt::format("{} {}\n", title, records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
        const bool has_previous = previous != nullptr && i < previous->size();
        write_line(out, records[i], has_previous ? &(*previous)[i] : nullptr, fields);
    }
}

void write_graph(std::string& out, const Graph& graph, const Graph* previous) {
    write_block(out, "graph", graph, kGraphFields);
    write_table(out,
                "inputs",
                graph.inputs,
                previous != nullptr ? &previous->inputs : nullptr,
                kInputFields);
    write_table(
        out, "nodes", graph.nodes, previous != nullptr ? &previous->nodes : nullptr, kNodeFields);
}

// ---- reading records ----

template <typename Record, std::size_t N>
void read_block(Cursor& in,
                std::string_view title,
                Record& record,
                const std::array<Field<Record>, N>& fields) {
    in.word(title);
    in.end_of_line();
    for (const Field<Record>& field : fields) {
        if (in.failed()) return;
        in.word(field.name);
        field.read(in, record);
        in.end_of_line();
    }
}

// The length of a run "=k" that may reach over `left` fields.
std::size_t read_run(Cursor& in, bool has_previous, std::size_t left) {
    const std::string_view field = in.field();
    std::uint64_t run = 0;
    Cursor digits(field.substr(1), "");
    get(digits, run);
    if (!has_previous) {
        in.fail("'=' stands for a record of an earlier graph, and there is none here");
    } else if (digits.failed() || !digits.at_end() || run == 0 || run > left) {
        in.expected(fmt::format("'=' and a number from 1 to {}", left));
    }
    return in.failed() ? left : static_cast<std::size_t>(run);
}

template <typename Record, std::size_t N>
void read_line(Cursor& in,
               Record& record,
               const Record* previous,
               const std::array<Field<Record>, N>& fields) {
    for (std::size_t i = 0; i < N && !in.failed();) {
        if (!in.next_begins_with('=')) {
            fields[i++].read(in, record);
            continue;
        }
        const std::size_t end = i + read_run(in, previous != nullptr, N - i);
        for (; i < end && !in.failed(); ++i) fields[i].copy(*previous, record);
    }
    in.end_of_line();
}

template <typename Record, std::size_t N>
void read_table(Cursor& in,
                std::string_view title,
                std::vector<Record>& records,
                const std::vector<Record>* previous,
                const std::array<Field<Record>, N>& fields) {
    in.word(title);
    std::uint64_t count = 0;
    get(in, count);
    if (count > kMaxRecords || count > in.bytes_left()) in.fail("more records than the text holds");
    in.end_of_line();
    if (in.failed()) return;
    records.resize(count);
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        const bool has_previous = previous != nullptr && i < previous->size();
        read_line(in, records[i], has_previous ? &(*previous)[i] : nullptr, fields);
    }
}

// ---- soundness ----

bool points_somewhere(const Ref& ref,
                      std::size_t node,
                      const Graph& graph,
                      const Inventory& inventory) {
    const auto index = static_cast<std::size_t>(ref.index);
    switch (ref.kind) {
        case Ref::Kind::Node:
            return index < node;
        case Ref::Kind::Weight:
            return index < inventory.weights.size();
        case Ref::Kind::State:
            return index < inventory.states.size();
        case Ref::Kind::Input:
            return index < graph.inputs.size();
    }
    return false;
}

void check_refs(Cursor& in, const Graph& graph, const Inventory& inventory) {
    for (std::size_t i = 0; i < graph.nodes.size() && !in.failed(); ++i) {
        const Node& node = graph.nodes[i];
        const auto sound = [&](const Ref& ref) {
            return points_somewhere(ref, i, graph, inventory);
        };
        if (!std::all_of(node.sources.begin(), node.sources.end(), sound) ||
            (node.has_storage && !sound(node.storage))) {
            in.fail(
                fmt::format("node {} ('{}') of the graph of {} tokens, which ends here, refers "
                            "to what does not stand before it",
                            i,
                            node.name,
                            graph.n_tokens));
        }
    }
}

void read_graph(Cursor& in, Inventory& inventory) {
    const Graph* previous = inventory.graphs.empty() ? nullptr : &inventory.graphs.back();
    Graph graph;
    read_block(in, "graph", graph, kGraphFields);
    if (!in.failed() && graph.tier() <= (previous != nullptr ? previous->tier() : TierKey{})) {
        in.fail(fmt::format("the graph of {} tokens does not follow in ascending order",
                            graph.n_tokens));
    }
    read_table(in,
               "inputs",
               graph.inputs,
               previous != nullptr ? &previous->inputs : nullptr,
               kInputFields);
    read_table(
        in, "nodes", graph.nodes, previous != nullptr ? &previous->nodes : nullptr, kNodeFields);
    check_refs(in, graph, inventory);
    inventory.graphs.push_back(std::move(graph));
}

// The last line holds the hash of all text before it.
void read_end(Cursor& in, std::string_view text) {
    const std::size_t n_before = text.size() - in.bytes_left();
    in.word("end");
    Hash64 hash;
    get(in, hash);
    if (!in.failed() && hash != text_hash(text.substr(0, n_before))) {
        in.fail(
            "this checksum does not agree with the text, which was damaged or edited: capture the "
            "model again, with -m and --save-inventory");
    }
    in.end_of_line();
    if (!in.failed() && !in.at_end()) in.fail("text stands after the end of the inventory");
}

void read_version(Cursor& in) {
    in.word(kMagic);
    std::uint32_t version = 0;
    get(in, version);
    if (!in.failed() && version != kVersion) {
        in.fail(
            fmt::format("is version {} of the format; this program reads version {}: capture "
                        "the model again",
                        version,
                        kVersion));
    }
    in.end_of_line();
}

void read_device(Cursor& in, DeviceModel& device) {
    read_block(in, "device", device, kDeviceFields);
    if (!in.failed() && !std::has_single_bit(device.alignment)) {
        in.fail("the device's alignment is no power of two");
    }
}

}  // namespace

std::string to_text(const Inventory& inventory) {
    std::string out = fmt::format("{} {}\n", kMagic, kVersion);
    write_block(out, "model", inventory, kModelFields);
    write_block(out, "context", inventory.context, kContextFields);
    write_block(out, "device", inventory.device, kDeviceFields);
    write_table<Weight>(out, "weights", inventory.weights, nullptr, kWeightFields);
    write_table<State>(out, "states", inventory.states, nullptr, kStateFields);
    out += fmt::format("graphs {}\n", inventory.graphs.size());
    const Graph* previous = nullptr;
    for (const Graph& graph : inventory.graphs) {
        write_graph(out, graph, previous);
        previous = &graph;
    }
    out += fmt::format("end {}\n", to_text(text_hash(out)));
    return out;
}

Result<Inventory> inventory_from_text(std::string_view text, std::string_view file_name) {
    Inventory inventory;
    Cursor in(text, file_name);
    read_version(in);
    read_block(in, "model", inventory, kModelFields);
    read_block(in, "context", inventory.context, kContextFields);
    read_device(in, inventory.device);
    read_table<Weight>(in, "weights", inventory.weights, nullptr, kWeightFields);
    read_table<State>(in, "states", inventory.states, nullptr, kStateFields);
    in.word("graphs");
    std::uint32_t n_graphs = 0;
    get(in, n_graphs);
    in.end_of_line();
    for (std::uint32_t i = 0; i < n_graphs && !in.failed(); ++i) read_graph(in, inventory);
    read_end(in, text);
    if (in.failed()) return in.error();
    return inventory;
}

}  // namespace pshard
