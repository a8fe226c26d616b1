// Turns a shape into files. A file is planned first (header and where the data goes); a sparse file
// is the header and a hole, a random one the header and the data.
#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "models/arch.h"
#include "models/header.h"
#include "models/quant.h"
#include "models/random_weights.h"
#include "models/shapes.h"
#include "models/tokenizer.h"

namespace pshard {
namespace {

using namespace shapes;

namespace fs = std::filesystem;

constexpr int kQuantizationVersion = 2;  // GGML_QNT_VERSION

struct TypedTensors {
    TensorList specs;
    std::vector<ggml_type> types;
};

Bytes tensor_bytes(const TensorSpec& spec, ggml_type type) {
    Bytes rows = 1;
    for (size_t i = 1; i < spec.dims.size(); ++i) {
        rows *= static_cast<Bytes>(spec.dims[i]);
    }
    return rows * ggml_row_size(type, spec.dims[0]);
}

Result<TypedTensors> typed_tensors(const ModelShape& shape, const Quant& quant) {
    Result<TensorList> specs = list_tensors(shape);
    if (!specs) {
        return specs.error();
    }
    std::vector<ggml_type> types = assign_types(shape, specs.value(), quant);
    return TypedTensors{std::move(specs).value(), std::move(types)};
}

Status add_all_keys(Header& header, const ModelShape& shape, const Quant& quant) {
    Status status = add_model_keys(header, shape);
    if (!status) {
        return status;
    }
    header.u32("general.file_type", static_cast<int>(quant.file_type));
    header.u32("general.quantization_version", kQuantizationVersion);
    return add_tokenizer(header, shape.tokenizer, shape.n_vocab);
}

// How many tensors go into each of `n_split` files: about equal bytes, at least one tensor each.
std::vector<size_t> split_counts(const TypedTensors& tensors, int n_split) {
    const size_t n_tensors = tensors.specs.size();
    const auto n_files = static_cast<size_t>(n_split);
    std::vector<Bytes> end_bytes;  // of the first i + 1 tensors
    Bytes total = 0;
    for (size_t i = 0; i < n_tensors; ++i) {
        total += tensor_bytes(tensors.specs[i], tensors.types[i]);
        end_bytes.push_back(total);
    }
    std::vector<size_t> counts;
    size_t begin = 0;
    for (size_t file = 0; file < n_files; ++file) {
        const Bytes share = total / n_files * (file + 1);
        const auto past = std::ranges::upper_bound(end_bytes, share);
        const size_t end = std::clamp(static_cast<size_t>(past - end_bytes.begin()),
                                      begin + 1,
                                      n_tensors - (n_files - 1 - file));
        counts.push_back((file + 1 == n_files ? n_tensors : end) - begin);
        begin += counts.back();
    }
    return counts;
}

// Source of the name and the keys: llama_split_path() and tools/gguf-split of llama.cpp.
fs::path split_path(const fs::path& path, int number, int n_split) {
    fs::path stem = path;
    stem.replace_extension();
    return fmt::format("{}-{:05}-of-{:05}.gguf", stem.string(), number, n_split);
}

void add_split_keys(Header& header, int index, int n_split, size_t n_tensors) {
    header.u16("split.no", static_cast<std::uint16_t>(index));
    header.u16("split.count", static_cast<std::uint16_t>(n_split));
    header.i32("split.tensors.count", static_cast<std::int32_t>(n_tensors));
}

Error write_error(const fs::path& path, const std::error_code& code) {
    return {fmt::format("cannot write model file '{}': {}", path.string(), code.message()), {}};
}

// The Error of a stream, which tells only that it failed; `errno` is what the system said last.
Error stream_error(const fs::path& path) {
    return write_error(path, {errno != 0 ? errno : EIO, std::generic_category()});
}

// Writes the header to a new file, then makes the file longer by the data without storing any.
// Returns the size of the file.
Result<Bytes> write_header_and_hole(const Header& header, const fs::path& path) {
    const std::vector<std::byte> bytes = header.bytes();
    errno = 0;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) {
        return stream_error(path);
    }
    std::error_code code;
    const Bytes size = bytes.size() + header.data_bytes();
    fs::resize_file(path, size, code);
    if (code) {
        return write_error(path, code);
    }
    return size;
}

// What is written, checked before a file is touched.
struct Job {
    Quant quant;
    TypedTensors tensors;
    Header keys;
};

Result<Job> prepare(const ModelShape& shape, const std::string& quant_name) {
    const Status sane = check_sizes(shape);
    if (!sane) {
        return sane.error();
    }
    const Result<Quant> quant = find_quant(quant_name);
    if (!quant) {
        return quant.error();
    }
    Result<TypedTensors> tensors = typed_tensors(shape, quant.value());
    if (!tensors) {
        return tensors.error();
    }
    Header keys(shape.arch);
    const Status status = add_all_keys(keys, shape, quant.value());
    if (!status) {
        return status.error();
    }
    return Job{quant.value(), std::move(tensors).value(), std::move(keys)};
}

void add_tensors(Header& header, const TypedTensors& tensors, size_t begin, size_t count) {
    for (size_t i = begin; i < begin + count; ++i) {
        header.tensor(tensors.specs[i], tensors.types[i]);
    }
}

// Which of a model's tensors are in a file.
struct Share {
    size_t begin = 0;
    size_t count = 0;
};

// Fills the hole of a file whose header is written.
Status write_random_data(const Header& header,
                         const TypedTensors& tensors,
                         const Share& share,
                         const fs::path& path,
                         std::uint64_t seed) {
    errno = 0;
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    const std::size_t data_begin = gguf_get_meta_size(header.gguf());
    for (size_t i = 0; i < share.count; ++i) {
        const size_t tensor = share.begin + i;
        const std::vector<std::byte> data =
            random_tensor(tensors.specs[tensor], tensors.types[tensor], seed);
        const std::size_t offset = gguf_get_tensor_offset(header.gguf(), std::int64_t(i));
        file.seekp(static_cast<std::streamoff>(data_begin + offset));
        file.write(reinterpret_cast<const char*>(data.data()),
                   static_cast<std::streamsize>(data.size()));
    }
    file.close();
    if (!file) {
        return stream_error(path);
    }
    return Done{};
}

// Writes header and data, or without a seed a hole. Returns the size of the file; removes a file
// that was half written.
Result<Bytes> write_file(const Header& header,
                         const TypedTensors& tensors,
                         const Share& share,
                         const fs::path& path,
                         std::optional<std::uint64_t> seed) {
    Result<Bytes> size = write_header_and_hole(header, path);
    if (size && seed) {
        const Status filled = write_random_data(header, tensors, share, path, *seed);
        if (!filled) size = filled.error();
    }
    std::error_code ignored;
    if (!size && fs::is_regular_file(path, ignored)) fs::remove(path, ignored);
    return size;
}

Result<WrittenModel> write_files(Job job,
                                 const std::string& arch,
                                 const fs::path& path,
                                 int n_split,
                                 std::optional<std::uint64_t> seed) {
    WrittenModel written{model_paths(path, n_split), 0};
    Share share;
    int index = 0;
    for (const size_t count : split_counts(job.tensors, n_split)) {
        Header header = index == 0 ? std::move(job.keys) : Header(arch);
        if (n_split > 1) {
            add_split_keys(header, index, n_split, job.tensors.specs.size());
        }
        share = {share.begin + share.count, count};
        add_tensors(header, job.tensors, share.begin, share.count);
        const fs::path& file = written.files[static_cast<size_t>(index)];
        const Result<Bytes> size = write_file(header, job.tensors, share, file, seed);
        if (!size) {
            return size.error();
        }
        written.bytes += size.value();
        ++index;
    }
    return written;
}

Result<WrittenModel> write_model(const ModelShape& shape,
                                 const std::string& quant,
                                 const fs::path& path,
                                 int n_split,
                                 std::optional<std::uint64_t> seed) {
    Result<Job> job = prepare(shape, quant);
    if (!job) {
        return job.error();
    }
    const size_t n_tensors = job.value().tensors.specs.size();
    if (n_split < 1 || static_cast<size_t>(n_split) > n_tensors) {
        return Error{
            fmt::format(
                "cannot split {} tensors of '{}' into {} files", n_tensors, shape.name, n_split),
            {}};
    }
    return write_files(std::move(job).value(), shape.arch, path, n_split, seed);
}

}  // namespace

std::vector<fs::path> model_paths(const fs::path& path, int n_split) {
    if (n_split <= 1) return {path};
    std::vector<fs::path> paths;
    for (int number = 1; number <= n_split; ++number) {
        paths.push_back(split_path(path, number, n_split));
    }
    return paths;
}

Result<WrittenModel> write_sparse(const ModelShape& shape,
                                  const std::string& quant,
                                  const fs::path& path,
                                  int n_split) {
    return write_model(shape, quant, path, n_split, std::nullopt);
}

Result<WrittenModel> write_random(const ModelShape& shape,
                                  const std::string& quant,
                                  const fs::path& path,
                                  std::uint64_t seed,
                                  int n_split) {
    return write_model(shape, quant, path, n_split, seed);
}

}  // namespace pshard
