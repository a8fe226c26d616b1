// How the registry is read from a file and saved to it.
//
// In:   a path, and for a save the section with the new plans.
// Out:  the plans of the file; or the new file, and what is damaged in it.
//
//     update_registry:   check -> lock -> read -> is it a registry? -> merge -> replace -> warn
//                                  `-------- base/atomic_file.h --------------------'
//
// A save works on the text (registry_merge.h), never on plans that were read and written again. So
// it changes only its own variants, and damaged lines stay as they are.
//
// Traps: a file that is no registry is never touched. A file may have been cut off in the middle of
// a line, and half a number still reads as a number: load_registry therefore does not use a last
// line without an end. It may also have been cut off between two lines, and then nothing in it is
// damaged; only the tiers that are missing up to the ubatch of their variant show it.
#include "registry/registry_file.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/counted.h"
#include "base/units.h"
#include "registry/checksum.h"
#include "registry/registry_blocks.h"
#include "registry/registry_lines.h"
#include "registry/registry_merge.h"

namespace pshard {
namespace {

constexpr std::size_t kMaxBytes = 64 * kMiB;

// What a variant lacks, whose last tier must be that of its ubatch; nullopt if it is whole. A file
// that was cut off between two lines has no other fault.
std::optional<std::string> missing_tiers(const VariantBlock& block) {
    std::uint32_t last = 0;
    for (const RegistryLine& line : block.lines) {
        if (line.kind == LineKind::Disabled) return std::nullopt;
        if (const auto tier = parse_tier_header(line.text)) last = tier->bs;
    }
    const std::uint32_t wanted = std::max(block.header->cache_ubatch, 1U);
    if (last >= wanted) return std::nullopt;
    return fmt::format("expected tiers up to {} below, found {}",
                       counted(wanted, "token"),
                       last == 0 ? "none" : fmt::format("the last at {}", last));
}

std::vector<Error> incomplete_variants(const std::string& text, const std::string& path) {
    std::vector<Error> faults;
    for (const SectionBlock& section : registry_blocks(text, path).sections) {
        for (const VariantBlock& variant : section.variants) {
            const auto reason = variant.header ? missing_tiers(variant) : std::nullopt;
            if (!reason) continue;
            const auto header =
                std::ranges::find(variant.lines, LineKind::Variant, &RegistryLine::kind);
            faults.push_back(header->error(0, *reason));
        }
    }
    return faults;
}

// What is damaged in the new text, and whether the last line of the old text was cut off, which
// only the old text shows.
std::vector<Error> faults_of(const std::string& merged,
                             const std::string& old_text,
                             const std::string& path) {
    Result<RegistryReading> reading = read_registry(merged, path);
    PSHARD_CHECK(reading.ok());
    std::vector<Error> faults = std::move(reading.value().warnings);
    std::ranges::move(incomplete_variants(merged, path), std::back_inserter(faults));
    if (!old_text.empty() && !old_text.ends_with('\n')) {
        faults.push_back({"the last line of the old file was cut off", {path}});
    }
    for (Error& fault : faults) fault.message += "; it is kept as it is";
    return faults;
}

}  // namespace

Result<RegistryReading> load_registry(const std::string& path) {
    const Result<std::optional<std::string>> text = read_file(path, kMaxBytes);
    if (!text.ok()) return text.error();
    const std::string whole = text.value().value_or("");
    Result<RegistryReading> reading = read_registry(whole, path);
    const std::size_t end = whole.rfind('\n') + 1;  // npos + 1 is 0
    if (!reading.ok() || end == whole.size()) return reading;
    reading = read_registry(whole.substr(0, end), path);
    if (reading.ok()) {
        reading.value().warnings.push_back(
            {"the last line has no end: the file was cut off, and the line is not used", {path}});
    }
    return reading;
}

Result<std::vector<Error>> update_registry(const std::string& path, const RegistrySection& added) {
    if (Status writable = check_writable(added); !writable.ok()) return writable.error();
    Result<FileUpdate> update = FileUpdate::begin(path);
    if (!update.ok()) return update.error();
    const Result<std::optional<std::string>> old_text = update.value().read(kMaxBytes);
    if (!old_text.ok()) return old_text.error();
    const std::string text = old_text.value().value_or("");
    if (const std::optional<std::string> reason = not_a_registry(text)) {
        return Error{fmt::format("this is not a registry, and stays as it is: {}", *reason),
                     {path}};
    }
    const std::string merged = merged_registry(text, sealed(added));
    if (merged.size() > kMaxBytes || not_a_registry(merged)) {
        return Error{
            fmt::format("the registry would grow beyond {} bytes or too many lines; delete "
                        "it, or plans in it",
                        kMaxBytes),
            {path}};
    }
    if (merged != text) {
        if (Status written = update.value().commit(merged); !written.ok()) return written.error();
    }
    std::vector<Error> faults = faults_of(merged, text, path);
    std::ranges::move(replaced_edits(text, added, path), std::back_inserter(faults));
    return faults;
}

}  // namespace pshard
