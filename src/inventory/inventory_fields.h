// The records of an inventory's text, as tables of fields (base/fields.h), and the forms that only
// they have. The grammar is in docs/formats/inventory.md. Internal to inventory/.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "inventory/context_words.h"
#include "inventory/inventory.h"

namespace pshard {

// ---- forms ----

// A plain word stands as it is; any other text stands in quotation marks, with \" \\ and \x0a.
struct Quotable {
    using Value = std::string;

    static std::string expected() { return "a word or a text in quotes"; }

    static void write(std::string& out, const std::string& text);
    static bool read(std::string_view word, std::string& text);
};

// "4096x512": sizes of 1 at the end are left out.
struct Sizes {
    using Value = Shape;

    static std::string expected() { return "a shape such as 4096x512, of 1 to 4 sizes"; }

    static void write(std::string& out, const Shape& shape);
    static bool read(std::string_view word, Shape& shape);
};

// "n12,w3,s0,i1", or "-" for none.
struct Refs {
    using Value = std::vector<Ref>;

    static std::string expected() { return "refs such as n12,w3,s0,i1, or - for none"; }

    static void write(std::string& out, const std::vector<Ref>& refs);
    static bool read(std::string_view word, std::vector<Ref>& refs);
};

// The tensor whose memory the node lives in; "-" if the node has memory of its own.
struct Storage {
    using Value = std::optional<Ref>;

    static std::string expected() { return "a ref such as n12 or s0, or - for none"; }

    static void write(std::string& out, const std::optional<Ref>& ref);
    static bool read(std::string_view word, std::optional<Ref>& ref);
};

// A hash that is kept as a number.
struct HashNumber : HexHash {
    using Value = std::uint64_t;

    static void write(std::string& out, std::uint64_t value) { out += to_text(Hash64{value}); }

    static bool read(std::string_view word, std::uint64_t& value) {
        Hash64 hash;
        const bool good = HexHash::read(word, hash);
        if (good) value = hash.value;
        return good;
    }
};

// ---- words, in the order of the enumerators ----

inline constexpr std::array<std::string_view, 4> kSideWords = {
    "input", "attention", "ffn", "output"};
inline constexpr std::array<std::string_view, 2> kStateKindWords = {"kv", "recurrent"};

// ---- tables ----

inline constexpr std::array kModelFields = {
    field<Quotable, &Inventory::model_name>("model_name"),
    field<Quotable, &Inventory::architecture>("architecture"),
    field<&Inventory::file_bytes>("file_bytes"),
    field<&Inventory::total_file_bytes>("total_file_bytes"),
    field<HashNumber, &Inventory::header_hash>("header_hash"),
    field<&Inventory::n_layers>("n_layers"),
    field<&Inventory::n_layers_unloaded>("n_layers_unloaded"),
    field<&Inventory::n_experts>("n_experts"),
    field<&Inventory::n_experts_used>("n_experts_used"),
    field<&Inventory::n_ctx_train>("n_ctx_train"),
    field<&Inventory::n_swa>("n_swa"),
    field<&Inventory::has_recurrent>("has_recurrent"),
    field<&Inventory::head_is_tied>("head_is_tied"),
    field<&Inventory::flash_attention>("flash_attention"),
};

inline constexpr std::array kContextFields = {
    field<&ContextSpec::n_ctx>("n_ctx"),
    field<&ContextSpec::n_batch>("n_batch"),
    field<&ContextSpec::n_ubatch>("n_ubatch"),
    field<&ContextSpec::n_seq_max>("n_seq_max"),
    field<&ContextSpec::kv_unified>("kv_unified"),
    field<&ContextSpec::swa_full>("swa_full"),
    field<OneOf<FlashAttention, kFlashAttentionWords>, &ContextSpec::flash_attention>(
        "flash_attention"),
    field<Quotable, &ContextSpec::type_k>("type_k"),
    field<Quotable, &ContextSpec::type_v>("type_v"),
    field<OneOf<OutputUse, kOutputUseWords>, &ContextSpec::output_use>("output_use"),
    field<&ContextSpec::n_outputs>("n_outputs"),
};

inline constexpr std::array kDeviceFields = {
    field<Quotable, &DeviceModel::name>("name"),
    field<&DeviceModel::alignment>("alignment"),
    field<&DeviceModel::max_buffer_bytes>("max_buffer_bytes"),
};

inline constexpr std::array kWeightFields = {
    field<Quotable, &Weight::name>("name"),
    field<Quotable, &Weight::type>("type"),
    field<Sizes, &Weight::shape>("shape"),
    field<&Weight::bytes>("bytes"),
    field<&Weight::alloc_bytes>("alloc_bytes"),
    field<&Weight::layer>("layer"),
    field<OneOf<Side, kSideWords>, &Weight::side>("side"),
    field<&Weight::routed>("routed"),
};

inline constexpr std::array kStateFields = {
    field<Quotable, &State::name>("name"),
    field<Quotable, &State::type>("type"),
    field<Sizes, &State::shape>("shape"),
    field<&State::bytes>("bytes"),
    field<&State::alloc_bytes>("alloc_bytes"),
    field<&State::layer>("layer"),
    field<OneOf<StateKind, kStateKindWords>, &State::kind>("kind"),
    field<&State::n_cells>("n_cells"),
};

inline constexpr std::array kGraphFields = {
    field<&Graph::n_tokens>("n_tokens"),
    field<&Graph::n_seqs>("n_seqs"),
    field<&Graph::n_outputs>("n_outputs"),
};

inline constexpr std::array kInputFields = {
    field<Quotable, &Input::name>("name"),
    field<Quotable, &Input::type>("type"),
    field<Sizes, &Input::shape>("shape"),
    field<&Input::bytes>("bytes"),
    field<&Input::alloc_bytes>("alloc_bytes"),
};

inline std::optional<Ref> storage_of(const Node& node) {
    return node.has_storage ? std::optional(node.storage) : std::nullopt;
}

inline constexpr Field<Node> kStorageField = {
    "storage",
    false,
    Storage::expected,
    [](std::string& out, const Node& node) { Storage::write(out, storage_of(node)); },
    [](std::string_view word, Node& node) {
        std::optional<Ref> storage;
        if (!Storage::read(word, storage)) return false;
        node.has_storage = storage.has_value();
        node.storage = storage.value_or(Ref{});
        return true;
    },
    [](const Node& a, const Node& b) { return storage_of(a) == storage_of(b); }};

inline constexpr std::array kNodeFields = {
    field<Quotable, &Node::op>("op"),
    field<Quotable, &Node::name>("name"),
    field<Quotable, &Node::type>("type"),
    field<Sizes, &Node::shape>("shape"),
    field<&Node::bytes>("bytes"),
    field<&Node::alloc_bytes>("alloc_bytes"),
    field<&Node::layer>("layer"),
    field<&Node::is_view>("is_view"),
    field<&Node::is_output>("is_output"),
    field<&Node::contiguous>("contiguous"),
    field<&Node::device_supports>("device_supports"),
    kStorageField,
    field<Refs, &Node::sources>("sources"),
};

}  // namespace pshard
