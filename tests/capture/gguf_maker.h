// GGUF files made byte by byte, sound ones and broken ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "capture/gguf_header.h"

namespace pshard {

// Appends what it is told; nothing is checked, so that anything can be wrong.
class GgufMaker {
public:
    template <typename T>
    GgufMaker& raw(T value) {
        char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        bytes_.append(bytes, sizeof(T));
        return *this;
    }

    GgufMaker& text(std::string_view value) {
        raw<std::uint64_t>(value.size());
        bytes_ += value;
        return *this;
    }

    GgufMaker& begin(std::uint64_t n_tensors, std::uint64_t n_pairs, std::uint32_t version = 3) {
        bytes_ += "GGUF";
        return raw(version).raw(n_tensors).raw(n_pairs);
    }

    GgufMaker& key(std::string_view name, GgufType type) { return text(name).raw(type); }

    GgufMaker& integer(std::string_view name, std::uint32_t value) {
        return key(name, GgufType::U32).raw(value);
    }

    GgufMaker& string(std::string_view name, std::string_view value) {
        return key(name, GgufType::String).text(value);
    }

    GgufMaker& array(std::string_view name, GgufType element, std::uint64_t count) {
        return key(name, GgufType::Array).raw(element).raw(count);
    }

    // A tensor of two dimensions; type 0 is f32.
    GgufMaker& tensor(std::string_view name,
                      std::int64_t columns,
                      std::int64_t rows,
                      std::uint64_t offset,
                      std::uint32_t type = 0) {
        return text(name).raw<std::uint32_t>(2).raw(columns).raw(rows).raw(type).raw(offset);
    }

    // The data section: zeros, after the padding that leads to it.
    GgufMaker& data(std::uint64_t size, std::uint64_t alignment = 32) {
        bytes_.resize(align_up(bytes_.size(), alignment) + size);
        return *this;
    }

    GgufMaker& cut(std::size_t size) {
        bytes_.resize(size);
        return *this;
    }

    [[nodiscard]] const std::string& bytes() const { return bytes_; }

    [[nodiscard]] std::string write(const std::filesystem::path& path) const {
        std::ofstream(path, std::ios::binary) << bytes_;
        return path;
    }

private:
    std::string bytes_;
};

}  // namespace pshard
