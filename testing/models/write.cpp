// Turns a shape into files. A file is planned first (header and where the data goes); a sparse file
// is the header and a hole, a random one the header and the data.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/atomic_file.h"
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

// How many tensors go into each file: about equal bytes, at least one tensor each, but for a stub.
std::vector<size_t> split_counts(const TypedTensors& tensors, const Splits& splits) {
    const size_t n_tensors = tensors.specs.size();
    const size_t n_stubs = splits.first_is_stub ? 1 : 0;
    const auto n_files = static_cast<size_t>(splits.count) - n_stubs;
    std::vector<Bytes> end_bytes;  // of the first i + 1 tensors
    Bytes total = 0;
    for (size_t i = 0; i < n_tensors; ++i) {
        total += tensor_bytes(tensors.specs[i], tensors.types[i]);
        end_bytes.push_back(total);
    }
    std::vector<size_t> counts(n_stubs, 0);
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
                         std::uint64_t seed,
                         FileUpdate& file) {
    const std::size_t data_begin = gguf_get_meta_size(header.gguf());
    for (size_t i = 0; i < share.count; ++i) {
        const size_t tensor = share.begin + i;
        const std::vector<std::byte> data =
            random_tensor(tensors.specs[tensor], tensors.types[tensor], seed);
        const std::size_t offset = gguf_get_tensor_offset(header.gguf(), std::int64_t(i));
        const std::string_view bytes(reinterpret_cast<const char*>(data.data()), data.size());
        if (Status written = file.write_at(data_begin + offset, bytes); !written) return written;
    }
    return Done{};
}

// Writes header and data, or without a seed a hole, beside the file whose place they will take.
// Returns the size of the file.
Result<Bytes> write_file(const Header& header,
                         const TypedTensors& tensors,
                         const Share& share,
                         std::optional<std::uint64_t> seed,
                         FileUpdate& file) {
    const std::vector<std::byte> bytes = header.bytes();
    const Bytes size = bytes.size() + header.data_bytes();
    Status written = file.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, size);
    if (written && seed) written = write_random_data(header, tensors, share, *seed, file);
    if (!written) return written.error();
    return size;
}

// All files are written before the first takes its place: a model that was there stays as it was
// where one cannot be written, or the program is killed meanwhile.
Result<WrittenModel> write_files(Job job,
                                 const std::string& arch,
                                 const fs::path& path,
                                 const Splits& splits,
                                 std::optional<std::uint64_t> seed) {
    const int n_split = splits.count;
    WrittenModel written{model_paths(path, n_split), 0};
    std::vector<FileUpdate> updates;
    Share share;
    for (const size_t count : split_counts(job.tensors, splits)) {
        const size_t index = updates.size();
        Header header = index == 0 ? std::move(job.keys) : Header(arch);
        if (n_split > 1) {
            add_split_keys(header, static_cast<int>(index), n_split, job.tensors.specs.size());
        }
        share = {share.begin + share.count, count};
        add_tensors(header, job.tensors, share.begin, share.count);
        Result<FileUpdate> update = FileUpdate::begin(written.files[index].string());
        if (!update) return update.error();
        updates.push_back(std::move(update).value());
        const Result<Bytes> size = write_file(header, job.tensors, share, seed, updates.back());
        if (!size) return size.error();
        written.bytes += size.value();
    }
    for (FileUpdate& update : updates) {
        if (Status finished = update.finish(); !finished) return finished.error();
    }
    return written;
}

Result<WrittenModel> write_model(const ModelShape& shape,
                                 const std::string& quant,
                                 const fs::path& path,
                                 const Splits& splits,
                                 std::optional<std::uint64_t> seed) {
    Result<Job> job = prepare(shape, quant);
    if (!job) {
        return job.error();
    }
    const size_t n_tensors = job.value().tensors.specs.size();
    const int n_with_tensors = splits.count - (splits.first_is_stub ? 1 : 0);
    if (n_with_tensors < 1 || static_cast<size_t>(n_with_tensors) > n_tensors) {
        return Error{fmt::format("cannot split {} tensors of '{}' into {} files",
                                 n_tensors,
                                 shape.name,
                                 n_with_tensors),
                     {}};
    }
    return write_files(std::move(job).value(), shape.arch, path, splits, seed);
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
                                  const Splits& splits) {
    return write_model(shape, quant, path, splits, std::nullopt);
}

Result<WrittenModel> write_random(const ModelShape& shape,
                                  const std::string& quant,
                                  const fs::path& path,
                                  std::uint64_t seed,
                                  const Splits& splits) {
    return write_model(shape, quant, path, splits, seed);
}

}  // namespace pshard
