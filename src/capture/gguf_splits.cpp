// How the files of a model that was split are found: open_model_files of capture/gguf_header.h.
//
// In:   the path of the first split.
// Out:  the headers of all splits, in order; or what is wrong with them together.
//
//     model-00001-of-00003.gguf    split.no = 0, split.count = 3    the header tells the count,
//     model-00002-of-00003.gguf                                     the name those of the others
//     model-00003-of-00003.gguf
//
// Traps: a renamed file no longer leads to the others. Splits may be missing, or come from another
// model: each must have its own number and the same count, no tensor may stand in two of them, and
// together they must hold as many tensors as the first one says.
#include <fmt/format.h>

#include <filesystem>
#include <unordered_set>

#include "base/visible.h"
#include "capture/gguf_header.h"

namespace pshard {
namespace {

// "-00002-of-00003.gguf", the ending that llama.cpp's llama_split_path gives.
std::string split_suffix(std::uint32_t index, std::uint32_t count) {
    return fmt::format("-{:05}-of-{:05}.gguf", index + 1, count);
}

Result<std::vector<std::string>> split_paths(const GgufHeader& first) {
    const GgufSplit& split = first.split;
    const std::string suffix = split_suffix(split.index, split.count);
    if (!first.path.ends_with(suffix)) {
        return Error{fmt::format("is part {} of {} of a model, so its name must end in '{}'",
                                 split.index + 1,
                                 split.count,
                                 suffix),
                     {first.path}};
    }
    const std::string prefix = first.path.substr(0, first.path.size() - suffix.size());
    std::vector<std::string> paths;
    for (std::uint32_t i = 0; i < split.count; ++i) {
        paths.push_back(prefix + split_suffix(i, split.count));
    }
    if (split.index == 0) return paths;
    return Error{fmt::format("is part {} of {} of a model; give the first part, {}",
                             split.index + 1,
                             split.count,
                             paths[0]),
                 {first.path}};
}

Status check_all_present(const std::vector<std::string>& paths) {
    std::string missing;
    std::error_code ignored;
    for (const std::string& path : paths) {
        if (std::filesystem::exists(path, ignored)) continue;
        if (!missing.empty()) missing += ", ";
        missing += std::filesystem::path(path).filename();
    }
    if (missing.empty()) return Done{};
    return Error{
        fmt::format("is one of {} parts, and beside it is missing: {}", paths.size(), missing),
        {paths[0]}};
}

Status check_together(const std::vector<GgufHeader>& files) {
    std::unordered_set<std::string_view> names;
    std::uint64_t n_tensors = 0;
    for (std::size_t i = 0; i < files.size(); ++i) {
        const GgufSplit& split = files[i].split;
        if (split.index != i || split.count != files.size()) {
            return Error{fmt::format("says that it is part {} of {}, but stands as part {} of {}",
                                     split.index + 1,
                                     split.count,
                                     i + 1,
                                     files.size()),
                         {files[i].path}};
        }
        for (const GgufTensor& tensor : files[i].tensors) {
            if (names.insert(tensor.name).second) continue;
            return Error{fmt::format("holds tensor '{}', which an earlier part holds already",
                                     visible(tensor.name)),
                         {files[i].path}};
        }
        n_tensors += files[i].tensors.size();
    }
    const auto expected = files[0].integer("split.tensors.count");
    if (!expected || *expected == n_tensors) return Done{};
    return Error{fmt::format("says that its parts hold {} tensors, but they hold {}; a part is "
                             "damaged or of another model",
                             *expected,
                             n_tensors),
                 {files[0].path}};
}

}  // namespace

Result<std::vector<GgufHeader>> open_model_files(const std::string& path) {
    Result<GgufHeader> first = GgufHeader::open(path);
    if (!first) return first.error();
    std::vector<GgufHeader> files{std::move(first).value()};
    if (files[0].split.count == 1) return files;
    const Result<std::vector<std::string>> paths = split_paths(files[0]);
    if (!paths) return paths.error();
    if (Status present = check_all_present(paths.value()); !present) return present.error();
    for (std::size_t i = 1; i < paths.value().size(); ++i) {
        Result<GgufHeader> file = GgufHeader::open(paths.value()[i]);
        if (!file) return file.error();
        files.push_back(std::move(file).value());
    }
    if (Status together = check_together(files); !together) return together.error();
    return files;
}

}  // namespace pshard
