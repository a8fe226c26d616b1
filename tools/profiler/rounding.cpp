#include "profiler/rounding.h"

#include "machine/profile_fields.h"

namespace pshard::tool {
namespace {

// Rounds each number to four digits; words, and what is not set, stay.
template <typename Record>
void round_fields(Record& record, Fields<Record> fields) {
    for (const Field<Record>& field : fields) {
        const auto value = number_of<double>(text_of(field, record));
        if (value) field.read(fmt::format("{:.4g}", *value), record);
    }
}

void round_rows(std::vector<OpRow>& rows) {
    for (OpRow& row : rows) {
        round_fields(row, kRateColumns);
        round_fields(row, kCopiesColumns);
        round_fields(row, kNoiseFields);
    }
}

}  // namespace

void round_figures(MachineProfile& profile) {
    round_fields(profile.link, kLinkFields);
    for (SlicePoint& point : profile.link.sliced) {
        round_fields(point, Fields<SlicePoint>(kSlicedColumns).subspan(1));  // its size stays
    }
    for (CopyPoint& point : profile.link.copies) round_fields(point, kCopyColumns);
    if (profile.cpu) {
        ThreadFacts facts;
        facts.dram = profile.cpu->dram_gb_per_s;
        round_fields(facts, kThreadsLineFields);
        profile.cpu->dram_gb_per_s = facts.dram;
        round_fields(*profile.cpu, kCpuFields);
        round_rows(profile.cpu->rows);
    }
    if (!profile.gpu) return;
    round_fields(*profile.gpu, kGpuHeadFields);
    round_fields(*profile.gpu, kGpuFields);
    for (OverheadPoint& point : profile.gpu->overhead) {
        round_fields(point, Fields<OverheadPoint>(kOverheadColumns).subspan(1));
    }
    round_rows(profile.gpu->rows);
}

}  // namespace pshard::tool
