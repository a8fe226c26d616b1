#include "fuzz/readers.h"

#include <sys/mman.h>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/descriptor.h"
#include "base/fingerprint.h"
#include "capture/gguf_header.h"
#include "capture/slim_model.h"
#include "inventory/inventory_text.h"
#include "machine/profile_text.h"
#include "registry/checksum.h"
#include "registry/registry_merge.h"
#include "registry/registry_text.h"
#include "trace/trace.h"

namespace pshard::fuzz {
namespace {

// A section that stands in no seed, with one plan.
RegistrySection section_of_ours() {
    SectionSettings settings;
    settings.n_ctx = 54321;
    RegistrySection section = make_section(settings, 4096);
    RegistryVariant variant;
    variant.budget_mib = 77;
    variant.cache_ubatch = 1;
    RegistryTier tier;
    tier.key = {1};
    tier.viable = true;
    tier.ot = {{"blk.0.attn_q.weight", "CPU"}};
    variant.tiers.push_back(std::move(tier));
    section.variants.push_back(std::move(variant));
    return section;
}

// Says where two texts part, and ends the program there.
void check_same(std::string_view text, std::string_view expected) {
    if (text == expected) return;
    const auto at =
        static_cast<std::size_t>(std::ranges::mismatch(text, expected).in1 - text.begin());
    constexpr std::size_t kShown = 200;
    const std::size_t begin = at < kShown ? 0 : at - kShown;
    fmt::print(stderr,
               "{}\n---- expected ----\n{}\n",
               text.substr(begin, 2 * kShown),
               expected.substr(begin, 2 * kShown));
    PSHARD_CHECK(text == expected);
}

// What was read of a sound text is written, read without a word, and written the same. A damaged
// one is kept as far as it can be, in an order of its own. A checksum is of the lines as they
// stood, which may be written otherwise.
void check_written(Registry registry) {
    for (RegistrySection& section : registry.sections) {
        if (!check_writable(section)) return;
        for (RegistryVariant& variant : section.variants) variant.pshard.checksum.reset();
    }
    const std::string text = to_text(registry);
    const Result<RegistryReading> again = read_registry(text, "again");
    PSHARD_CHECK(again.ok() && again.value().warnings.empty());
    check_same(to_text(again.value().registry), text);
}

// The plan that is saved into the file is read from it, whatever else stands there.
void check_saved(const std::string& bytes, const RegistrySection& added) {
    const Result<RegistryReading> merged = read_registry(merged_registry(bytes, added), "merged");
    PSHARD_CHECK(merged.ok());
    const std::vector<RegistrySection>& sections = merged.value().registry.sections;
    PSHARD_CHECK(!sections.empty() && sections.size() <= kMaxSections);
    PSHARD_CHECK(sections.back().fingerprint == added.fingerprint);
    const std::vector<RegistryVariant>& variants = sections.back().variants;
    PSHARD_CHECK(!variants.empty() && variants.size() <= kMaxVariants);
    PSHARD_CHECK(!is_damaged(variants.back()));
    check_same(to_text(variants.back()), to_text(added.variants.back()));
}

// A file in memory with these bytes.
Descriptor file_of(const std::string& bytes) {
    Descriptor file(memfd_create("fuzz", MFD_CLOEXEC));
    PSHARD_CHECK(file.get() >= 0);
    PSHARD_CHECK(write_all(file.get(), bytes));
    return file;
}

void check_inventory(const std::string& bytes) {
    const Result<Inventory> inventory = inventory_from_text(bytes, "fuzz");
    if (!inventory) return;
    const std::string text = to_text(inventory.value());
    const Result<Inventory> again = inventory_from_text(text, "again");
    PSHARD_CHECK(again.ok() && again.value() == inventory.value());
}

std::string text_of(const Trace& trace) {
    std::string text = trace_begin(trace);
    int index = 0;
    for (const TracedPass& pass : trace.passes) text += trace_pass(pass, index++);
    return text;
}

}  // namespace

void take_registry(const std::string& bytes) {
    const Result<RegistryReading> reading = read_registry(bytes, "fuzz");
    if (!reading) return;
    if (reading.value().warnings.empty()) check_written(reading.value().registry);
    check_saved(bytes, sealed(section_of_ours()));
}

void take_profile(const std::string& bytes) {
    for (const ProfileTexts& texts :
         {ProfileTexts{bytes, std::nullopt}, ProfileTexts{std::nullopt, bytes}}) {
        const Result<MachineProfile> profile = profile_from_text(texts);
        if (!profile) continue;
        const ProfileTexts written = to_text(profile.value());
        const Result<MachineProfile> again = profile_from_text(written);
        PSHARD_CHECK(again.ok());
        const ProfileTexts rewritten = to_text(again.value());
        check_same(rewritten.cpu.value_or(""), written.cpu.value_or(""));
        check_same(rewritten.gpu.value_or(""), written.gpu.value_or(""));
    }
}

// The last line of an inventory is a checksum, which no invented bytes would get past.
void take_inventory(const std::string& bytes) {
    check_inventory(bytes);
    const std::string body = bytes.substr(0, bytes.rfind("end "));
    check_inventory(fmt::format("{}end {}\n", body, to_text(text_hash(body))));
}

void take_trace(const std::string& bytes) {
    const Result<Trace> trace = from_chrome_trace(bytes);
    if (!trace) return;
    const std::string text = text_of(trace.value());
    const Result<Trace> again = from_chrome_trace(text);
    PSHARD_CHECK(again.ok());
    check_same(text_of(again.value()), text);
}

void take_gguf(const std::string& bytes) {
    const Descriptor file = file_of(bytes);
    const Result<GgufHeader> opened = GgufHeader::open(fmt::format("/proc/self/fd/{}", file.get()));
    if (!opened) return;
    const GgufHeader& header = opened.value();
    for (const GgufPair& pair : header.pairs) {
        (void)header.integer(pair.key);
        (void)header.string(pair.key);
        PSHARD_CHECK(header.bytes(pair.begin, pair.end).size() == pair.end - pair.begin);
    }
    (void)identify_model({header});
    const Result<SlimModel> slim = SlimModel::make({header});
    PSHARD_CHECK(slim.ok());
    PSHARD_CHECK(GgufHeader::open(slim.value().paths().front()).ok());
}

}  // namespace pshard::fuzz
