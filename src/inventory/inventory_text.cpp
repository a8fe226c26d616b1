// The text form of an inventory, both ways. The tables of inventory_fields.h say what a record is:
//
//   title NL { key value NL }          block: model, context, device, graph
//   title COUNT NL { record NL }       table: weights, states, inputs, nodes
//
// The graphs of two tiers in a row differ in sizes and in little else. A record of a graph is
// therefore compared with the record of the same number in the graph before: a run of k equal
// fields is written as "=k". The reader begins each record as a copy of the earlier one, and skips
// the k fields of a run:
//
//   graph of  1 token    MUL_MAT ffn_up-0 f32 14336    57344  57344  0 0 0 1 1 - w7,n5
//   graph of 16 tokens   =3                   14336x16 917504 917504 =7
//
// Traps:
// * The reader believes a count only as far as the text can hold so many records (`most_records`).
// * The reader refuses an inventory that is not sound: each ref must point to something that stands
//   before the node that has it.
// * The checksum is checked last, so that a damaged text is refused where it is damaged.
#include "inventory/inventory_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/counted.h"
#include "inventory/inventory_fields.h"

namespace pshard {
namespace {

constexpr std::string_view kMagic = "pshard-inventory";
constexpr std::uint32_t kVersion = 4;
constexpr std::string_view kWhatToDo = "; capture the model again, with -m and --save-inventory";

// The record of the same number in the graph before; nullptr if there is none.
template <typename Record>
const Record* record_before(const std::vector<Record>* before, std::size_t i) {
    return before != nullptr && i < before->size() ? &(*before)[i] : nullptr;
}

// ---- writing ----

template <typename Record>
void write_block(std::string& out,
                 std::string_view title,
                 const Record& record,
                 Fields<Record> fields) {
    out += title;
    out += '\n';
    for (const Field<Record>& field : fields) {
        out += field.key;
        out += ' ';
        field.write(out, record);
        out += '\n';
    }
}

template <typename Record>
void write_record(std::string& out,
                  const Record& record,
                  const Record* before,
                  Fields<Record> fields) {
    for (std::size_t i = 0; i < fields.size();) {
        if (i > 0) out += ' ';
        std::size_t run = 0;
        while (before != nullptr && i + run < fields.size() &&
               fields[i + run].same(record, *before)) {
            ++run;
        }
        if (run == 0) {
            fields[i++].write(out, record);
            continue;
        }
        out += '=';
        Whole<std::size_t>::write(out, run);
        i += run;
    }
    out += '\n';
}

template <typename Record>
void write_table(std::string& out,
                 std::string_view title,
                 const std::vector<Record>& records,
                 const std::vector<Record>* before,
                 Fields<Record> fields) {
    out += fmt::format("{} {}\n", title, records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
        write_record(out, records[i], record_before(before, i), fields);
    }
}

void write_graph(std::string& out, const Graph& graph, const Graph* before) {
    write_block(out, "graph", graph, kGraphFields);
    write_table(out, "inputs", graph.inputs, before ? &before->inputs : nullptr, kInputFields);
    write_table(out, "nodes", graph.nodes, before ? &before->nodes : nullptr, kNodeFields);
}

// ---- reading ----

template <typename Record>
void read_block(Cursor& in, std::string_view title, Record& record, Fields<Record> fields) {
    in.expect_word(title);
    in.end_line();
    for (const Field<Record>& field : fields) {
        if (in.failed()) return;
        in.expect_word(field.key);
        read_column(in, record, field);
        in.end_line();
    }
}

// Reads a run "=k" and gives its length. At most `left` fields are left for it.
std::size_t read_run(Cursor& in, bool has_before, std::size_t left) {
    const auto run = number_of<std::size_t>(in.word().substr(1));
    if (!has_before) {
        in.fail("'=' stands for a record of an earlier graph, and there is none here");
    } else if (!run || *run == 0 || *run > left) {
        in.expected(fmt::format("'=' and a number from 1 to {}", left));
    }
    return run.value_or(left);
}

// The caller has set `record` to a copy of the earlier record, if there is one.
template <typename Record>
void read_record(Cursor& in, Record& record, bool has_before, Fields<Record> fields) {
    for (std::size_t i = 0; i < fields.size() && !in.failed();) {
        if (in.next_begins_with('=')) {
            i += read_run(in, has_before, fields.size() - i);
        } else {
            read_column(in, record, fields[i++]);
        }
    }
    in.end_line();
}

// Of all graphs together; the largest models have 170'000. A node that is one word of a text takes
// 100 times as much memory, so that this bounds what a text may take.
constexpr std::size_t kMostNodes = 500'000;

// The most records that the rest of the text can hold. A record with an earlier one may be a single
// run; any other record takes at least a byte and a blank for each field.
template <typename Record>
std::size_t most_records(const Cursor& in,
                         const std::vector<Record>* before,
                         Fields<Record> fields) {
    return (before != nullptr ? before->size() : 0) + in.bytes_left() / (2 * fields.size());
}

template <typename Record>
void read_table(Cursor& in,
                std::string_view title,
                std::vector<Record>& records,
                const std::vector<Record>* before,
                Fields<Record> fields) {
    in.expect_word(title);
    const auto count = number_of<std::size_t>(in.word());
    if (!count) in.expected(fmt::format("the number of {}", title));
    if (count && *count > most_records<Record>(in, before, fields)) {
        in.fail(fmt::format("{} {} are more records than the text holds", *count, title));
    }
    if (count && *count > kMostNodes) {
        in.fail(fmt::format("{} {} are more than the {} of any model", *count, title, kMostNodes));
    }
    in.end_line();
    if (in.failed()) return;
    records.reserve(*count);
    for (std::size_t i = 0; i < *count && !in.failed(); ++i) {
        const Record* record = record_before(before, i);
        records.push_back(record != nullptr ? *record : Record{});
        read_record(in, records.back(), record != nullptr, fields);
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
                fmt::format("node {} ('{}') of the graph of {}, which ends here, refers "
                            "to what does not stand before it",
                            i,
                            node.name,
                            counted(graph.n_tokens, "token")));
        }
    }
}

void read_graph(Cursor& in, Inventory& inventory) {
    const Graph* before = inventory.graphs.empty() ? nullptr : &inventory.graphs.back();
    Graph graph;
    read_block(in, "graph", graph, kGraphFields);
    if (graph.tier() <= (before != nullptr ? before->tier() : TierKey{})) {
        in.fail(fmt::format("the graph of {} does not follow in ascending order",
                            counted(graph.n_tokens, "token")));
    }
    read_table(in, "inputs", graph.inputs, before ? &before->inputs : nullptr, kInputFields);
    read_table(in, "nodes", graph.nodes, before ? &before->nodes : nullptr, kNodeFields);
    check_refs(in, graph, inventory);
    inventory.graphs.push_back(std::move(graph));
}

void read_graphs(Cursor& in, Inventory& inventory) {
    in.expect_word("graphs");
    const auto count = number_of<std::size_t>(in.word());
    if (!count) in.expected("the number of graphs");
    in.end_line();
    std::size_t n_nodes = 0;
    for (std::size_t i = 0; i < count && !in.failed(); ++i) {
        read_graph(in, inventory);
        n_nodes += inventory.graphs.back().nodes.size() + inventory.graphs.back().inputs.size();
        if (n_nodes <= kMostNodes) continue;
        in.fail(fmt::format("the graphs have more than the {} nodes of any model", kMostNodes));
    }
}

// The last line holds the hash of all text before it.
void read_end(Cursor& in, std::string_view text) {
    const std::string_view before = text.substr(0, text.size() - in.bytes_left());
    in.expect_word("end");
    const auto hash = hash_of(in.word());
    if (!hash) in.expected(fmt::format("a hash ({})", HexHash::expected()));
    if (!in.failed() && hash != text_hash(before)) {
        in.fail("this checksum does not agree with the text, which was damaged or edited");
    }
    in.end_line();
    if (in.bytes_left() > 0) in.fail("text stands after the end of the inventory");
}

void read_version(Cursor& in) {
    in.expect_word(kMagic);
    const auto version = number_of<std::uint32_t>(in.word());
    if (version != kVersion) {
        in.fail(fmt::format("is version {} of the format; this program reads version {}",
                            version ? fmt::to_string(*version) : "?",
                            kVersion));
    }
    in.end_line();
}

void read_device(Cursor& in, DeviceModel& device) {
    read_block(in, "device", device, kDeviceFields);
    if (!std::has_single_bit(device.alignment)) {
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
    const Graph* before = nullptr;
    for (const Graph& graph : inventory.graphs) {
        write_graph(out, graph, before);
        before = &graph;
    }
    out += fmt::format("end {}\n", to_text(text_hash(out)));
    return out;
}

namespace {

// The text with the line ends that it was written with: an editor or a mail may have made CR LF of
// them.
std::string with_plain_ends(std::string_view text) {
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!text.substr(i).starts_with("\r\n")) plain += text[i];
    }
    return plain;
}

Result<Inventory> read_inventory(std::string_view text, std::string_view file_name) {
    Inventory inventory;
    Cursor in(text, std::string(file_name));
    read_version(in);
    read_block(in, "model", inventory, kModelFields);
    read_block(in, "context", inventory.context, kContextFields);
    read_device(in, inventory.device);
    read_table<Weight>(in, "weights", inventory.weights, nullptr, kWeightFields);
    read_table<State>(in, "states", inventory.states, nullptr, kStateFields);
    read_graphs(in, inventory);
    read_end(in, text);
    if (!in.failed()) return inventory;
    return Error{in.fault()->message + std::string(kWhatToDo), in.fault()->place};
}

}  // namespace

Result<Inventory> inventory_from_text(std::string_view text, std::string_view file_name) {
    if (text.find("\r\n") == std::string_view::npos) return read_inventory(text, file_name);
    return read_inventory(with_plain_ends(text), file_name);
}

}  // namespace pshard
