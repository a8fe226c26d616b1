#include "capture/gguf_header.h"

#include <sys/stat.h>

#include <filesystem>

#include "capture/gguf_maker.h"
#include "models/shapes.h"
#include "models/stock_llama.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::TempFolder;

GgufMaker sound_file() {
    GgufMaker file;
    file.begin(2, 4)
        .string("general.architecture", "llama")
        .integer("llama.block_count", 7)
        .array("llama.attention.head_count_kv", GgufType::I32, 3)
        .raw<std::int32_t>(2)
        .raw<std::int32_t>(8)
        .raw<std::int32_t>(4)
        .array("tokenizer.ggml.tokens", GgufType::String, 2)
        .text("a")
        .text("bc")
        .tensor("token_embd.weight", 8, 2, 0)
        .tensor("output.weight", 4, 1, 64)
        .data(64 + 16);
    return file;
}

TEST(GgufHeader, GivesKeysAndTensors) {
    const TempFolder dir;
    const auto header = test::value_of(GgufHeader::open(sound_file().write(dir / "sound.gguf")));
    const GgufHeader& file = header;
    EXPECT_EQ(file.version, 3U);
    EXPECT_EQ(file.string("general.architecture"), "llama");
    EXPECT_EQ(file.integer("llama.block_count"), 7U);
    EXPECT_EQ(file.integer("llama.attention.head_count_kv"), 8U) << "the greatest of an array";
    EXPECT_EQ(file.integer("absent"), std::nullopt);
    EXPECT_EQ(file.integer("general.architecture"), std::nullopt);
    EXPECT_EQ(file.integer("tokenizer.ggml.tokens"), std::nullopt);
    EXPECT_EQ(file.string("llama.block_count"), std::nullopt);
    EXPECT_EQ(file.find("tokenizer.ggml.tokens")->count, 2U);
    ASSERT_EQ(file.tensors.size(), 2U);
    EXPECT_EQ(file.tensors[1].name, "output.weight");
    EXPECT_EQ(file.tensors[1].shape, (Shape{4, 1, 1, 1}));
    EXPECT_EQ(file.tensors[1].offset, 64U);
    EXPECT_EQ(file.tensors[1].bytes, 16U);
    EXPECT_EQ(file.data_offset % 32, 0U);
    EXPECT_EQ(file.file_bytes(), file.data_offset + 80);
}

TEST(GgufHeader, ReadsVersion2AndOtherAlignments) {
    const TempFolder dir;
    GgufMaker file;
    file.begin(1, 1, 2).integer("general.alignment", 64).tensor("a", 4, 1, 0).data(16, 64);
    const auto header = test::value_of(GgufHeader::open(file.write(dir / "v2.gguf")));
    EXPECT_EQ(header.version, 2U);
    EXPECT_EQ(header.data_offset % 64, 0U);
}

// ---- one fault each ----

struct Fault {
    std::string name;
    GgufMaker file;
    std::string complaint;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

constexpr std::uint64_t kAbsurd = ~std::uint64_t{0};

GgufMaker pairs(std::uint64_t n) { return GgufMaker().begin(0, n); }

GgufMaker tensors(std::uint64_t n) { return GgufMaker().begin(n, 0); }

std::vector<Fault> damaged_keys() {
    return {
        {"KeyTypeUnknown", pairs(1).key("k", GgufType{13}).data(64), "unknown type 13"},
        {"KeyTypeHuge", pairs(1).key("k", GgufType{~0U}).data(64), "unknown type"},
        {"KeyEmpty", pairs(1).integer("", 1), "key 0 is empty"},
        {"KeyLengthPastEnd", pairs(1).raw(kAbsurd).data(64), "incomplete"},
        {"KeyTwice", pairs(2).integer("k", 1).integer("k", 2), "'k' stands there"},
        {"ValueCut", pairs(1).key("k", GgufType::U64).raw<std::uint8_t>(0), "in key 'k'"},
        {"StringLengthPastEnd", pairs(1).key("k", GgufType::String).raw(kAbsurd), "in key 'k'"},
        {"ArrayOfArrays", pairs(1).array("k", GgufType::Array, 1).data(64), "array of arrays"},
        {"ArrayElementUnknown", pairs(1).array("k", GgufType{99}, 1).data(64), "unknown type 99"},
        {"ArrayCountAbsurd",
         pairs(1).array("k", GgufType::U64, kAbsurd).data(64),
         "more than the file has bytes"},
        {"ArrayCountWraps",
         pairs(1).array("k", GgufType::U64, kAbsurd / 8 + 2).data(64),
         "more than the file has bytes"},
        {"StringArrayCountAbsurd",
         pairs(1).array("k", GgufType::String, kAbsurd).data(4096),
         "incomplete"},
        {"AlignmentZero", pairs(1).integer("general.alignment", 0).data(8), "no power of two"},
        {"AlignmentOdd", pairs(1).integer("general.alignment", 48).data(8), "no power of two"},
        {"AlignmentText", pairs(1).string("general.alignment", "32").data(8), "no power of two"},
    };
}

GgufMaker one_tensor(std::uint32_t n_dims,
                     std::vector<std::int64_t> shape,
                     std::uint32_t type,
                     std::uint64_t offset) {
    GgufMaker file;
    file.begin(1, 0).text("t").raw(n_dims);
    for (const std::int64_t size : shape) file.raw(size);
    file.raw(type).raw(offset).data(64);
    return file;
}

std::vector<Fault> damaged_tensors() {
    constexpr std::int64_t kHuge = std::int64_t{1} << 40;
    return {
        {"TensorNameLong",
         tensors(1).tensor(std::string(64, 'x'), 1, 1, 0).data(64),
         "name of 64 characters"},
        {"TensorNameEmpty", tensors(1).tensor("", 1, 1, 0).data(64), "name of 0 characters"},
        {"TensorTwice",
         tensors(2).tensor("t", 1, 1, 0).tensor("t", 1, 1, 32).data(64),
         "'t' stands there twice"},
        {"DimsTooMany", one_tensor(5, {1, 1, 1, 1, 1}, 0, 0), "has 5 dimensions"},
        {"DimsAbsurd", one_tensor(~0U, {1}, 0, 0), "dimensions"},
        {"DimNegative", one_tensor(2, {4, -1}, 0, 0), "impossible shape"},
        {"DimsOverflow", one_tensor(2, {kHuge, kHuge}, 0, 0), "impossible shape"},
        {"BytesOverflow", one_tensor(2, {kHuge, kHuge / 512}, 0, 0), "impossible shape"},
        {"TypeUnknown", one_tensor(1, {4}, 999, 0), "type 999"},
        {"TypeRemoved", one_tensor(1, {32}, 4, 0), "type 4"},
        {"RowNoBlocks", one_tensor(1, {33}, 8, 0), "rows of 33"},
        {"OffsetUnaligned", one_tensor(1, {4}, 0, 4), "multiple of the alignment"},
        {"OffsetPastEnd", one_tensor(1, {4}, 0, 4096), "past the end"},
        {"OffsetAbsurd", one_tensor(1, {4}, 0, kAbsurd - 31), "past the end"},
        {"DataCut", one_tensor(1, {64}, 0, 0), "past the end"},
        {"DataMissing", tensors(1).tensor("t", 4, 1, 0), "past the end"},
        {"TensorTableCut", tensors(3).tensor("t", 4, 1, 0), "incomplete"},
        {"TensorsAbsurd", tensors(kAbsurd).data(64), ""},
        {"PairsAbsurd", pairs(kAbsurd).data(64), ""},
    };
}

std::vector<Fault> damaged_preambles() {
    GgufMaker no_magic;
    no_magic.raw<std::uint32_t>(0x46554746).data(64);
    return {
        {"MagicWrong", no_magic, "does not begin with 'GGUF'"},
        {"OneByte", GgufMaker().raw<char>('G'), "does not begin with 'GGUF'"},
        {"MagicAlone", tensors(0).cut(4), "incomplete"},
        {"CountsCut", tensors(0).cut(15), "incomplete"},
        {"Version0", GgufMaker().begin(0, 0, 0), "version 0"},
        {"Version1", GgufMaker().begin(0, 0, 1), "version 1"},
        {"Version4", GgufMaker().begin(0, 0, 4), "version 4"},
        {"BigEndian", GgufMaker().begin(0, 0, 0x03000000), "big-endian"},
        {"SplitAfterLast",
         pairs(2).integer("split.no", 3).integer("split.count", 3).data(0),
         "split 3 of 3"},
    };
}

std::vector<Fault> all_faults() {
    std::vector<Fault> faults = damaged_preambles();
    for (auto& more : {damaged_keys(), damaged_tensors()}) {
        faults.insert(faults.end(), more.begin(), more.end());
    }
    return faults;
}

class GgufFault : public testing::TestWithParam<Fault> {};

TEST_P(GgufFault, IsOneSentenceAboutTheFile) {
    const TempFolder dir;
    const std::string path = GetParam().file.write(dir / "broken.gguf");
    const auto header = GgufHeader::open(path);
    ASSERT_FALSE(header.ok());
    EXPECT_EQ(header.error().place.file, path);
    EXPECT_THAT(header.error().message, HasSubstr(GetParam().complaint));
    EXPECT_EQ(header.error().message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Corpus, GgufFault, ValuesIn(all_faults()), test::NamedByParameter());

TEST(GgufHeader, NamesWhatIsNoFile) {
    const TempFolder dir;
    const auto message = [](const std::string& path) {
        const auto header = GgufHeader::open(path);
        return header.ok() ? "" : header.error().message;
    };
    EXPECT_THAT(message(dir / "missing.gguf"), HasSubstr("No such file"));
    EXPECT_THAT(message(std::filesystem::temp_directory_path()), HasSubstr("is a directory"));
    EXPECT_THAT(message(GgufMaker().write(dir / "empty.gguf")), HasSubstr("is empty"));
    EXPECT_THAT(message("/dev/null"), HasSubstr("no regular file"));
    const std::string pipe = dir / "pipe.gguf";  // opening it must not wait for a writer
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_THAT(message(pipe), HasSubstr("no regular file"));
}

// A mapping of it ended the process by SIGBUS.
TEST(GgufHeader, StaysWhenItsFileShrinks) {
    const TempFolder dir;
    const std::string path = sound_file().write(dir / "model.gguf");
    const GgufHeader header = test::value_of(GgufHeader::open(path));
    std::filesystem::resize_file(path, 0);
    EXPECT_EQ(header.integer("llama.block_count"), 7U);
    EXPECT_EQ(header.bytes(header.tensors_begin, header.tensors_end).size(),
              header.tensors_end - header.tensors_begin);
}

// An array in place of the weights: its bytes are not read to be skipped.
TEST(GgufHeader, IsOfALimitedSize) {
    const TempFolder dir;
    const std::string path =
        GgufMaker().begin(0, 1).array("k", GgufType::U8, 1ULL << 39U).write(dir / "model.gguf");
    std::filesystem::resize_file(path, 1ULL << 40U);
    EXPECT_THAT(GgufHeader::open(path).error().message,
                HasSubstr("has a header of more than 256 MiB, in key 'k'"));
}

TEST(GgufHeader, ShowsWhatANameHides) {
    const TempFolder dir;
    const std::string path =
        pairs(1).array("\x1b[2J\n\xe2\x80\xae", GgufType::Array, 1).write(dir / "m.gguf");
    EXPECT_THAT(GgufHeader::open(path).error().message,
                HasSubstr("key '\\x1b[2J\\x0a\\u202e' is an array of arrays"));
}

// No prefix of a file and no single damaged byte may crash the scan; sanitizers watch.
TEST(GgufHeader, SurvivesEveryCutAndEveryDamagedByte) {
    const TempFolder dir;
    const std::string bytes = sound_file().bytes();
    int accepted = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        GgufMaker cut = sound_file();
        accepted += GgufHeader::open(cut.cut(i).write(dir / "cut.gguf")).ok() ? 1 : 0;
    }
    EXPECT_EQ(accepted, 0) << "a cut file lacks a byte of its last tensor at least";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (const char damage : {'\x7f', '\xff'}) {
            std::string damaged = bytes;
            damaged[i] = damage;
            std::ofstream(dir / "damaged.gguf", std::ios::binary) << damaged;
            (void)GgufHeader::open(dir / "damaged.gguf").ok();
        }
    }
}

// ---- splits ----

class SplitModel : public testing::Test {
protected:
    void SetUp() override {
        const auto shape = test::value_of(find_tiny_shape("llama"));
        const auto written = test::value_of(write_sparse(shape, "Q8_0", dir_ / "m.gguf", {3}));
        files_ = written.files;
        const auto whole = test::value_of(write_sparse(shape, "Q8_0", dir_ / "whole.gguf"));
    }

    std::string complaint(const std::string& path) {
        const auto files = open_model_files(path);
        return files.ok() ? "" : files.error().text();
    }

    TempFolder dir_;
    std::vector<std::filesystem::path> files_;
};

TEST_F(SplitModel, IsFoundFromItsFirstPart) {
    const auto files = test::value_of(open_model_files(files_[0]));
    ASSERT_EQ(files.size(), 3U);
    std::size_t n_tensors = 0;
    for (const GgufHeader& file : files) n_tensors += file.tensors.size();
    const auto whole = test::value_of(open_model_files(dir_ / "whole.gguf"));
    ASSERT_EQ(whole.size(), 1U);
    EXPECT_EQ(n_tensors, whole[0].tensors.size());
}

TEST_F(SplitModel, NamesEveryMissingPart) {
    std::filesystem::remove(files_[1]);
    EXPECT_THAT(complaint(files_[0]),
                AllOf(HasSubstr("missing: m-00002-of-00003.gguf"), Not(HasSubstr("00003-of"))));
    std::filesystem::remove(files_[2]);
    EXPECT_THAT(complaint(files_[0]), HasSubstr("m-00002-of-00003.gguf, m-00003-of-00003.gguf"));
}

TEST_F(SplitModel, PointsFromALaterPartToTheFirst) {
    EXPECT_THAT(complaint(files_[1]), AllOf(HasSubstr("is part 2 of 3"), HasSubstr("00001-of")));
}

TEST_F(SplitModel, RefusesPartsThatDoNotBelongTogether) {
    std::filesystem::copy_file(
        files_[2], files_[1], std::filesystem::copy_options::overwrite_existing);
    EXPECT_THAT(complaint(files_[0]), HasSubstr("part 3 of 3, but stands as part 2"));
}

TEST_F(SplitModel, RefusesARenamedPart) {
    std::filesystem::rename(files_[0], dir_ / "renamed.gguf");
    EXPECT_THAT(complaint(dir_ / "renamed.gguf"), HasSubstr("must end in '-00001-of-00003.gguf'"));
}

TEST_F(SplitModel, NamesADamagedPart) {
    std::filesystem::resize_file(files_[1], 20);
    EXPECT_THAT(complaint(files_[0]), AllOf(HasSubstr("m-00002-of"), HasSubstr("incomplete")));
}

}  // namespace
}  // namespace pshard
