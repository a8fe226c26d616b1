#include "backend/harness/cpu_layouts.h"

#include <algorithm>
#include <sstream>

#include <gguf.h>

#include "backend/harness/child_run.h"
#include "base/result.h"
#include "build_paths.h"
#include "ggml.h"

namespace pshard::backend_test {
namespace {

void add_types(const std::string& model_file, TypeNames& types) {
    gguf_context* file = gguf_init_from_file(model_file.c_str(), {true, nullptr});
    PSHARD_CHECK(file != nullptr);
    for (std::int64_t i = 0; i < gguf_get_n_tensors(file); ++i) {
        types.insert(ggml_type_name(gguf_get_tensor_type(file, i)));
    }
    gguf_free(file);
}

}  // namespace

std::optional<TypeNames> types_with_own_layout(const std::string& folder) {
    const ChildResult answer = run({.command = {PSHARD_CPU_LAYOUTS, folder}});
    if (!answer.ok()) return std::nullopt;
    TypeNames types;
    std::istringstream lines(answer.out);
    for (std::string type, layout; lines >> type >> layout;) types.insert(type);
    return types;
}

TypeNames types_in(const std::vector<std::string>& model_files) {
    TypeNames types;
    for (const std::string& file : model_files) add_types(file, types);
    return types;
}

bool have_common(const TypeNames& a, const TypeNames& b) {
    return std::ranges::any_of(a, [&](const std::string& name) { return b.contains(name); });
}

}  // namespace pshard::backend_test
