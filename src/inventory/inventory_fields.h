// Which fields each record of an inventory's text has, and in which order: one table for both
// directions. Only inventory_text.cpp uses it.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "inventory/text_values.h"

namespace pshard::text {

template <typename Record>
struct Field {
    std::string_view name;
    void (*write)(std::string& out, const Record& record);
    void (*read)(Cursor& in, Record& record);
    bool (*same)(const Record& a, const Record& b);
    void (*copy)(const Record& from, Record& to);
};

template <typename>
struct RecordOf;

template <typename Record, typename Value>
struct RecordOf<Value Record::*> {
    using type = Record;
};

template <auto Member>
constexpr auto field(std::string_view name) {
    using Record = typename RecordOf<decltype(Member)>::type;
    return Field<Record>{name,
                         [](std::string& out, const Record& record) { put(out, record.*Member); },
                         [](Cursor& in, Record& record) { get(in, record.*Member); },
                         [](const Record& a, const Record& b) { return a.*Member == b.*Member; },
                         [](const Record& from, Record& to) { to.*Member = from.*Member; }};
}

inline std::optional<Ref> storage_of(const Node& node) {
    return node.has_storage ? std::optional(node.storage) : std::nullopt;
}

inline void set_storage(Node& node, const std::optional<Ref>& storage) {
    node.has_storage = storage.has_value();
    node.storage = storage.value_or(Ref{});
}

inline constexpr Field<Node> kStorageField = {
    "storage",
    [](std::string& out, const Node& node) { put(out, storage_of(node)); },
    [](Cursor& in, Node& node) {
        std::optional<Ref> storage;
        get(in, storage);
        set_storage(node, storage);
    },
    [](const Node& a, const Node& b) { return storage_of(a) == storage_of(b); },
    [](const Node& from, Node& to) { set_storage(to, storage_of(from)); }};

inline constexpr Field<Inventory> kHashField = {
    "header_hash",
    [](std::string& out, const Inventory& model) { put(out, Hash64{model.header_hash}); },
    [](Cursor& in, Inventory& model) {
        Hash64 hash;
        get(in, hash);
        model.header_hash = hash.value;
    },
    [](const Inventory& a, const Inventory& b) { return a.header_hash == b.header_hash; },
    [](const Inventory& from, Inventory& to) { to.header_hash = from.header_hash; }};

inline constexpr std::array kModelFields = {
    field<&Inventory::model_name>("model_name"),
    field<&Inventory::architecture>("architecture"),
    field<&Inventory::file_bytes>("file_bytes"),
    field<&Inventory::total_file_bytes>("total_file_bytes"),
    kHashField,
    field<&Inventory::n_layers>("n_layers"),
    field<&Inventory::n_layers_unloaded>("n_layers_unloaded"),
    field<&Inventory::n_experts>("n_experts"),
    field<&Inventory::n_experts_used>("n_experts_used"),
    field<&Inventory::n_ctx_train>("n_ctx_train"),
    field<&Inventory::n_swa>("n_swa"),
    field<&Inventory::has_recurrent>("has_recurrent"),
    field<&Inventory::head_is_tied>("head_is_tied"),
    field<&Inventory::flash_attention>("flash_attention")};

inline constexpr std::array kContextFields = {
    field<&ContextSpec::n_ctx>("n_ctx"),
    field<&ContextSpec::n_batch>("n_batch"),
    field<&ContextSpec::n_ubatch>("n_ubatch"),
    field<&ContextSpec::n_seq_max>("n_seq_max"),
    field<&ContextSpec::kv_unified>("kv_unified"),
    field<&ContextSpec::swa_full>("swa_full"),
    field<&ContextSpec::flash_attention>("flash_attention"),
    field<&ContextSpec::type_k>("type_k"),
    field<&ContextSpec::type_v>("type_v"),
    field<&ContextSpec::output_use>("output_use"),
    field<&ContextSpec::n_outputs>("n_outputs")};

inline constexpr std::array kDeviceFields = {
    field<&DeviceModel::name>("name"),
    field<&DeviceModel::alignment>("alignment"),
    field<&DeviceModel::max_buffer_bytes>("max_buffer_bytes")};

inline constexpr std::array kWeightFields = {field<&Weight::name>("name"),
                                             field<&Weight::type>("type"),
                                             field<&Weight::shape>("shape"),
                                             field<&Weight::bytes>("bytes"),
                                             field<&Weight::alloc_bytes>("alloc_bytes"),
                                             field<&Weight::layer>("layer"),
                                             field<&Weight::side>("side"),
                                             field<&Weight::routed>("routed")};

inline constexpr std::array kStateFields = {field<&State::name>("name"),
                                            field<&State::type>("type"),
                                            field<&State::shape>("shape"),
                                            field<&State::bytes>("bytes"),
                                            field<&State::alloc_bytes>("alloc_bytes"),
                                            field<&State::layer>("layer"),
                                            field<&State::kind>("kind"),
                                            field<&State::n_cells>("n_cells")};

inline constexpr std::array kGraphFields = {field<&Graph::n_tokens>("n_tokens"),
                                            field<&Graph::n_seqs>("n_seqs"),
                                            field<&Graph::n_outputs>("n_outputs")};

inline constexpr std::array kInputFields = {field<&Input::name>("name"),
                                            field<&Input::type>("type"),
                                            field<&Input::shape>("shape"),
                                            field<&Input::bytes>("bytes"),
                                            field<&Input::alloc_bytes>("alloc_bytes")};

inline constexpr std::array kNodeFields = {field<&Node::op>("op"),
                                           field<&Node::name>("name"),
                                           field<&Node::type>("type"),
                                           field<&Node::shape>("shape"),
                                           field<&Node::bytes>("bytes"),
                                           field<&Node::alloc_bytes>("alloc_bytes"),
                                           field<&Node::layer>("layer"),
                                           field<&Node::is_view>("is_view"),
                                           field<&Node::is_output>("is_output"),
                                           field<&Node::contiguous>("contiguous"),
                                           field<&Node::device_supports>("device_supports"),
                                           kStorageField,
                                           field<&Node::sources>("sources")};

}  // namespace pshard::text
