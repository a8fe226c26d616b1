// The header of a GGUF file: its keys and its table of tensors, checked, without reading a weight.
//
// The file is mapped and walked once; arrays (a vocabulary holds a million strings) are stepped
// over and never copied. Whatever the file holds, the scan ends, stays inside the mapping, and says
// in one sentence what is wrong.
//
// Format: GGUF versions 2 and 3, little endian.
// Source: ggml/src/gguf.cpp of ggml v0.5.0, and its limits: at most 4 dimensions, names of 63
// characters, no array of arrays.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
    GgufType type = GgufType::U8;  // Array: `element` says of what
    GgufType element = GgufType::U8;
    std::uint64_t count = 1;  // elements of an array
    std::uint64_t begin = 0;  // of the whole pair, key included: [begin, end) in the file
    std::uint64_t value = 0;  // of the value, or of the first element of an array
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

class GgufHeader {
public:
    // Fails if the file is missing, is no regular file, is no GGUF of a known version, is
    // truncated, or contradicts itself; the Error names the key or tensor.
    static Result<GgufHeader> open(const std::string& path);

    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] std::uint32_t version() const { return version_; }

    [[nodiscard]] Bytes file_bytes() const { return bytes_.size(); }

    [[nodiscard]] std::uint64_t data_offset() const { return data_offset_; }  // aligned

    [[nodiscard]] std::uint64_t tensors_begin() const { return tensors_begin_; }

    [[nodiscard]] std::uint64_t tensors_end() const { return tensors_end_; }

    [[nodiscard]] std::uint64_t alignment() const { return alignment_; }

    [[nodiscard]] const std::vector<GgufPair>& pairs() const { return pairs_; }

    [[nodiscard]] const std::vector<GgufTensor>& tensors() const { return tensors_; }

    [[nodiscard]] const GgufSplit& split() const { return split_; }

    // nullptr if the key is absent.
    [[nodiscard]] const GgufPair* find(std::string_view key) const;

    // The value of a key that holds an integer of any width or a bool, not negative. Of an array of
    // such: its greatest element (llama.cpp keeps some per-layer figures so). Nothing if the key is
    // absent or holds something else.
    [[nodiscard]] std::optional<std::uint64_t> integer(std::string_view key) const;

    // Nothing if the key is absent or holds no string.
    [[nodiscard]] std::optional<std::string_view> string(std::string_view key) const;

    // The bytes [begin, end) of the file, which must lie in the header.
    [[nodiscard]] std::string_view bytes(std::uint64_t begin, std::uint64_t end) const;

private:
    friend class GgufScan;

    std::string path_;
    std::shared_ptr<const void> mapping_;
    std::string_view bytes_;  // the whole file
    std::uint32_t version_ = 0;
    std::uint64_t alignment_ = 32;
    std::uint64_t tensors_begin_ = 0;
    std::uint64_t tensors_end_ = 0;
    std::uint64_t data_offset_ = 0;
    std::vector<GgufPair> pairs_;
    std::vector<GgufTensor> tensors_;
    GgufSplit split_;
};

// The headers of all files of a model, in order. `path` is the file, or the first of its splits
// ("name-00001-of-00003.gguf"). Fails as GgufHeader::open does, and if `path` is a later split, if
// a split is missing (all that are missing are named), or if the splits do not belong together.
Result<std::vector<GgufHeader>> open_model_files(const std::string& path);

}  // namespace pshard
