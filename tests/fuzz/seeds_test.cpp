// The fuzz targets over their committed seeds: sound files, and each file that once broke a reader.
#include <filesystem>

#include "base/temp_folder.h"
#include "build_paths.h"
#include "fuzz/readers.h"
#include "support/testing.h"

namespace pshard::fuzz {
namespace {

class Seeds : public testing::TestWithParam<Reader> {};

TEST_P(Seeds, AreTakenWithoutHarm) {
    const std::filesystem::path folder =
        std::filesystem::path(PSHARD_SOURCE_DIR "/tests/fuzz/seeds") / GetParam().name;
    int n_seeds = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        SCOPED_TRACE(entry.path());
        GetParam().take(test::text_in(entry.path()));
        ++n_seeds;
    }
    EXPECT_GE(n_seeds, 2);
}

INSTANTIATE_TEST_SUITE_P(Reader, Seeds, testing::ValuesIn(kReaders), [](const auto& reader) {
    return std::string(reader.param.name);
});

}  // namespace
}  // namespace pshard::fuzz
