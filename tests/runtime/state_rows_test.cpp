#include "runtime/state_rows.h"

#include <gmock/gmock.h>

#include <array>

namespace pshard {
namespace {

using testing::ElementsAre;
using testing::Pair;

ggml_tensor indices_of(std::array<std::int64_t, 4>& values) {
    ggml_tensor tensor{};
    tensor.type = GGML_TYPE_I64;
    tensor.ne[0] = static_cast<std::int64_t>(values.size());
    tensor.ne[1] = tensor.ne[2] = tensor.ne[3] = 1;
    tensor.data = values.data();
    return tensor;
}

WrittenRows rows(const ggml_tensor& indices, Bytes row_bytes) {
    WrittenRows written;
    written.indices = &indices;
    written.first = 1000;
    written.row_bytes = written.stride = row_bytes;
    written.n_rows = indices.ne[0];
    return written;
}

TEST(WrittenRanges, AreInOrderAndJoinedWhereTheyMeet) {
    std::array<std::int64_t, 4> values = {7, 2, 3, 7};
    const ggml_tensor indices = indices_of(values);
    EXPECT_THAT(written_ranges(rows(indices, 100)),
                ElementsAre(Pair(1200, 1400), Pair(1700, 1800)));
}

TEST(WrittenRanges, OfShortRowsAreOneCopy) {
    std::array<std::int64_t, 4> values = {7, 2, 3, 7};
    const ggml_tensor indices = indices_of(values);
    EXPECT_THAT(written_ranges(rows(indices, 2)), ElementsAre(Pair(1004, 1016)));
}

TEST(WrittenRanges, AreTheWholeSpanWhereTheHostDoesNotKnow) {
    WrittenRows written;
    written.first = 64;
    written.row_bytes = written.stride = 256;
    written.n_rows = 1;
    EXPECT_THAT(written_ranges(written), ElementsAre(Pair(64, 320)));
}

}  // namespace
}  // namespace pshard
