// How the slim copy of a header is written.
//
// In:   the header of each file of a model.
// Out:  a file in memory for each, which llama.cpp takes for the model.
//
//     file                                    slim copy
//     "GGUF", version, tensors, keys          the same, with the new number of keys
//     keys                                    without the vocabulary; two keys stand for it
//     table of tensors                        the same bytes
//     data                                    a hole of the same size
//
// Only the split that has the vocabulary loses keys; the others keep all of theirs.
//
// Traps: the table can stay as it is, since its offsets count from the beginning of the data, which
// must be aligned behind the shorter header too. The files have no name but /proc/self/fd/N, so
// their descriptors must stay open while llama.cpp loads them.
#include "capture/slim_model.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace pshard {
namespace {

template <typename T>
void append(std::string& out, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out.append(bytes, sizeof(T));
}

void append_string(std::string& out, std::string_view text) {
    append<std::uint64_t>(out, text.size());
    out += text;
}

void append_integer_pair(std::string& out, std::string_view key, std::uint32_t value) {
    append_string(out, key);
    append(out, GgufType::U32);
    append(out, value);
}

void append_string_pair(std::string& out, std::string_view key, std::string_view value) {
    append_string(out, key);
    append(out, GgufType::String);
    append_string(out, value);
}

std::string vocabulary_size_key(const GgufHeader& file) {
    return std::string(file.string("general.architecture").value_or("")) + ".vocab_size";
}

// Whether the pair is left out: it is part of the vocabulary, or gets another value.
bool is_dropped(const GgufPair& pair, std::string_view size_key) {
    if (pair.key == size_key || pair.key == "tokenizer.ggml.model") return true;
    return pair.key.starts_with("tokenizer.") &&
           (pair.type == GgufType::Array || pair.type == GgufType::String);
}

// The keys that are left of a file with a vocabulary; `n_pairs` becomes their number.
std::string slim_pairs(const GgufHeader& file, const GgufPair& tokens, std::uint64_t& n_pairs) {
    const std::string size_key = vocabulary_size_key(file);
    std::string out;
    for (const GgufPair& pair : file.pairs) {
        if (is_dropped(pair, size_key)) continue;
        out += file.bytes(pair.begin, pair.end);
        ++n_pairs;
    }
    append_string_pair(out, "tokenizer.ggml.model", "no_vocab");
    append_integer_pair(out, size_key, static_cast<std::uint32_t>(tokens.count));
    n_pairs += 2;
    return out;
}

std::string all_pairs(const GgufHeader& file, std::uint64_t& n_pairs) {
    n_pairs = file.pairs.size();
    if (file.pairs.empty()) return {};
    return std::string(file.bytes(file.pairs.front().begin, file.pairs.back().end));
}

std::string slim_header(const GgufHeader& file) {
    std::uint64_t n_pairs = 0;
    const GgufPair* tokens = file.find("tokenizer.ggml.tokens");
    const std::string pairs =
        tokens != nullptr ? slim_pairs(file, *tokens, n_pairs) : all_pairs(file, n_pairs);
    std::string out = "GGUF";
    append(out, file.version);
    append<std::uint64_t>(out, file.tensors.size());
    append(out, n_pairs);
    out += pairs;
    out += file.bytes(file.tensors_begin, file.tensors_end);
    return out;
}

Error system_error(const std::string& path, std::string_view what) {
    return Error{
        fmt::format(
            "its header could not be copied to memory: {} failed ({})", what, std::strerror(errno)),
        {path}};
}

}  // namespace

Result<SlimModel> SlimModel::make(const std::vector<GgufHeader>& files) {
    SlimModel slim;
    for (const GgufHeader& file : files) {
        Descriptor& copy = slim.files_.emplace_back(memfd_create("pshard-slim-gguf", MFD_CLOEXEC));
        if (copy.get() < 0) return system_error(file.path, "memfd_create");
        const std::string header = slim_header(file);
        if (!write_all(copy.get(), header)) return system_error(file.path, "write");
        const std::uint64_t data = align_up(header.size(), file.alignment);
        const std::uint64_t data_bytes =
            file.file_bytes() - std::min<std::uint64_t>(file.data_offset, file.file_bytes());
        if (ftruncate(copy.get(), static_cast<off_t>(data + data_bytes)) != 0) {
            return system_error(file.path, "ftruncate");
        }
    }
    return slim;
}

std::vector<std::string> SlimModel::paths() const {
    std::vector<std::string> paths;
    for (const Descriptor& file : files_) {
        paths.push_back(fmt::format("/proc/self/fd/{}", file.get()));
    }
    return paths;
}

}  // namespace pshard
