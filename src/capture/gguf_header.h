// The header of a GGUF file: its keys and its table of tensors, checked, without reading a weight.
//
// The header is read and walked through once. Arrays (a vocabulary holds a million strings) are
// skipped and never copied again. Whatever the file holds, and whatever becomes of it meanwhile,
// the scan ends, stays inside what was read, and says in one sentence what is wrong.
//
// Format: GGUF versions 2 and 3, little endian.
// Source: ggml/src/gguf.cpp of ggml v0.5.0. Its limits hold here too: at most 4 dimensions, names
// of at most 63 characters, no array of arrays.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address_space.h"
#include "base/fingerprint.h"
#include "base/result.h"
#include "base/units.h"
#include "inventory/inventory.h"

namespace pshard {

enum class GgufType : std::uint32_t {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64
};

// Where one key-value pair lies in the file.
struct GgufPair {
    std::string_view key;
    GgufType type = GgufType::U8;     // for an array, `element` has the type of its elements
    GgufType element = GgufType::U8;  // else the same as `type`
    std::uint64_t count = 1;          // elements of an array
    std::uint64_t begin = 0;          // the pair lies at [begin, end) in the file, with its key
    std::uint64_t value = 0;          // where the value begins, or the first element of an array
    std::uint64_t end = 0;
};

struct GgufTensor {
    std::string_view name;
    std::uint32_t type = 0;  // ggml_type
    Shape shape{1, 1, 1, 1};
    std::uint64_t offset = 0;  // from the start of the data section
    Bytes bytes = 0;
};

// Which part of a model this file is; {0, 1} for a file that is not split.
struct GgufSplit {
    std::uint32_t index = 0;
    std::uint32_t count = 1;
};

struct GgufHeader {
    // Fails if the file is missing, is no regular file, is no GGUF of a known version, is
    // truncated, or contradicts itself; the Error names the key or tensor.
    static Result<GgufHeader> open(const std::string& path);

    [[nodiscard]] Bytes file_bytes() const { return n_bytes; }

    // nullptr if the key is missing.
    [[nodiscard]] const GgufPair* find(std::string_view key) const;

    // The value of a key that holds an integer of any width, not negative, or a bool. For an array
    // of them, the greatest element (llama.cpp keeps some figures of layers so). nullopt if the key
    // is missing or holds something else.
    [[nodiscard]] std::optional<std::uint64_t> integer(std::string_view key) const;

    // nullopt if the key is missing or holds no string.
    [[nodiscard]] std::optional<std::string_view> string(std::string_view key) const;

    // The bytes [begin, end) of the file, which must lie in the header.
    [[nodiscard]] std::string_view bytes(std::uint64_t begin, std::uint64_t end) const;

    std::string path;
    Bytes n_bytes = 0;                     // of the file
    std::string_view file;                 // the header, and places behind it that were not read
    std::shared_ptr<AddressSpace> memory;  // what `file` lies in
    std::uint32_t version = 0;
    std::uint64_t alignment = 32;
    std::uint64_t tensors_begin = 0;  // the table of tensors lies at [begin, end) in the file
    std::uint64_t tensors_end = 0;
    std::uint64_t data_offset = 0;  // aligned
    std::vector<GgufPair> pairs;
    std::vector<GgufTensor> tensors;
    GgufSplit split;
};

// The headers of all files of a model, in order. `path` is the file, or the first of its splits
// ("name-00001-of-00003.gguf"). Fails as GgufHeader::open does, and also if `path` is a later
// split, if splits are missing (the Error names all of them), or if the splits do not belong
// together.
Result<std::vector<GgufHeader>> open_model_files(const std::string& path);

// The hash of names, types and shapes of all tensors of a model.
Hash64 tensors_hash(const std::vector<GgufHeader>& files);

// What the headers say of the model as a whole: an Inventory with its names, sizes, hash, and
// counts of layers and experts set. Fails if the model has no architecture or no layers.
Result<Inventory> identify_model(const std::vector<GgufHeader>& files);

}  // namespace pshard
