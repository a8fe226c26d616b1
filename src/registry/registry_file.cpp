#include "registry/registry_file.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/units.h"
#include "registry/registry_lines.h"
#include "registry/registry_merge.h"

namespace pshard {
namespace {

constexpr std::size_t kMaxBytes = 64 * kMiB;

}  // namespace

Result<RegistryReading> load_registry(const std::string& path) {
    const Result<std::optional<std::string>> text = read_file(path, kMaxBytes);
    if (!text.ok()) return text.error();
    return read_registry(text.value().value_or(""), path);
}

Status update_registry(const std::string& path, const RegistrySection& own) {
    if (Status writable = check_writable(own); !writable.ok()) return writable;
    Result<FileUpdate> update = FileUpdate::begin(path);
    if (!update.ok()) return update.error();
    const Result<std::optional<std::string>> old_text = update.value().read(kMaxBytes);
    if (!old_text.ok()) return old_text.error();
    const std::string text = old_text.value().value_or("");
    if (const std::optional<std::string> reason = not_a_registry(text)) {
        return Error{fmt::format("this is not a registry, and stays as it is: {}", *reason),
                     {path}};
    }
    const std::string merged = merged_registry(text, own);
    if (merged.size() > kMaxBytes) {
        return Error{fmt::format("the registry would grow beyond {} bytes", kMaxBytes), {path}};
    }
    if (merged == text) return Done{};
    return update.value().commit(merged);
}

}  // namespace pshard
