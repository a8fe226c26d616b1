#include "machine/profile_text.h"

#include <cstdio>

#include "base/temp_folder.h"
#include "build_paths.h"
#include "machine/profile_keys.h"
#include "support/machines.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr const char* kCpuHeader =
    "# Concurrent Profiling (threads=8, batch_sizes=[1,64,512])\n"
    "# Measured Bandwidths Per Thread Count:\n"
    "#   Threads=8: DRAM_BW=45.7 GB/s, PCIe_Standalone=45.0 GB/s, PCIe_Concurrent=29.5 GB/s "
    "(CPU_Eff=72.9%)\n";
constexpr const char* kCpuRow =
    "MUL_MAT q4_0 8 3.5510 40.10 142.40 9.2000 120.00 33.80 4096 4096 1 0 0 0 0 0\n";
constexpr const char* kGpuHeader =
    "# GPU Profiling (backend=CUDA0, batch_sizes=[1], GPU_Memory_BW=800.0 GB/s, "
    "GPU_Peak_Compute=90000.0 GFLOP/s)\n";
constexpr const char* kGpuRow =
    "MUL_MAT q4_0 3.5500 700.00 2480.00 110.0000 4096 4096 1 0 0 0 0 0\n";

Result<MachineProfile> from_cpu(const std::string& text, int n_threads = 0) {
    return profile_from_text({text, std::nullopt}, n_threads);
}

const std::string kReference = std::string(PSHARD_SOURCE_DIR) + "/profiles/reference/";

// The examples of [S2], values and spacing as published.
TEST(ProfileText, ReadsThePublishedCpuExample) {
    const auto profile = test::value_of(from_cpu(std::string(kCpuHeader) + kCpuRow));
    const MachineProfile& p = profile;
    EXPECT_EQ(p.cpu->n_threads, 8);
    EXPECT_EQ(p.cpu->dram_gb_per_s, 45.7);
    EXPECT_EQ(p.cpu->copy_efficiency_percent, 72.9);
    EXPECT_EQ(p.link.standalone_gb_per_s, 45.0);
    EXPECT_EQ(p.link.concurrent_gb_per_s, 29.5);
    EXPECT_FALSE(p.link.concurrent_measured);
    ASSERT_THAT(p.cpu->rows, SizeIs(1));
    const OpRow& row = p.cpu->rows[0];
    EXPECT_EQ(row.op, "MUL_MAT");
    EXPECT_EQ(row.quant, "q4_0");
    EXPECT_EQ(row.intensity, 3.551);
    EXPECT_EQ(row.gb_per_s, 40.1);
    EXPECT_EQ(row.gflops, 142.4);
    EXPECT_EQ(row.gflops_under_copies, 120.0);
    EXPECT_EQ(row.n, 4096);
    EXPECT_EQ(row.batch, 1);
}

TEST(ProfileText, ReadsThePublishedGpuExample) {
    const auto profile =
        test::value_of(profile_from_text({std::nullopt, std::string(kGpuHeader) + kGpuRow}));
    const GpuProfile& gpu = *profile.gpu;
    EXPECT_EQ(gpu.backend, "CUDA0");
    EXPECT_EQ(gpu.memory_gb_per_s, 800.0);
    EXPECT_EQ(gpu.peak_gflops, 90000.0);
    ASSERT_THAT(gpu.rows, SizeIs(1));
    EXPECT_EQ(gpu.rows[0].gflops, 2480.0);
}

TEST(ProfileText, ReadsAHeaderWithoutGpu) {
    const auto p = from_cpu("#   Threads=8: DRAM_BW=45.7 GB/s\n").value();
    EXPECT_EQ(p.cpu->dram_gb_per_s, 45.7);
    EXPECT_EQ(p.link, LinkProfile{});
}

// The profiler then writes the standalone rate twice: it measured nothing under copies.
TEST(ProfileText, TakesNoRateUnderCopiesFromAMachineWithoutGpu) {
    const auto p = from_cpu(
                       "#   Threads=8: DRAM_BW=45.7 GB/s\n"
                       "MUL_MAT q4_0 8 3.55 40.1 142.4 9.2 142.4 0.00 4096 4096 1 0 0 0 0 0\n")
                       .value();
    EXPECT_EQ(p.cpu->rows[0].gflops_under_copies, std::nullopt);
}

TEST(ProfileText, DropsRowsOfSkippedBenchmarks) {
    const std::string skipped = "MUL_MAT q4_0 0.0 0.00 0.00 110.0 4096 4096 16384 0 0 0 0 0\n";
    const auto p = profile_from_text({std::nullopt, kGpuHeader + skipped + kGpuRow}).value();
    EXPECT_THAT(p.gpu->rows, SizeIs(1));
    const std::string on_cpu = "MUL_MAT q4_0 8 0 0 0 9.2 0 0 4096 4096 1 0 0 0 0 0\n";
    EXPECT_THAT(from_cpu(kCpuHeader + on_cpu + kCpuRow).value().cpu->rows, SizeIs(1));
}

TEST(ProfileText, LeavesUnknownUnknown) {
    const auto p = profile_from_text({std::nullopt, "# GPU Profiling (backend=CUDA0)\n"}).value();
    EXPECT_EQ(p.gpu->memory_gb_per_s, std::nullopt);
    EXPECT_EQ(p.gpu->memory_mib, std::nullopt);
    EXPECT_EQ(p.cpu, std::nullopt);
    EXPECT_EQ(profile_from_text({}).value(), MachineProfile{});
}

TEST(ProfileText, SkipsCommentsThatItDoesNotKnow) {
    const auto p = from_cpu(std::string(kCpuHeader) +
                            "#   Host_Pin_Ceiling: 66.6 GB\n"
                            "#   PCIe_Frobnicated: 12.0 what\n"
                            "# pshard key.of.tomorrow=1\n\n" +
                            kCpuRow)
                       .value();
    EXPECT_EQ(p.link.page_lock_ceiling_gb, 66.6);
    EXPECT_THAT(p.cpu->rows, SizeIs(1));
}

TEST(ProfileText, ReadsWindowsLineEnds) {
    std::string text = std::string(kCpuHeader) + kCpuRow;
    for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
        text.replace(at, 1, "\r\n");
    }
    EXPECT_EQ(from_cpu(text).value(), from_cpu(std::string(kCpuHeader) + kCpuRow).value());
}

std::string two_thread_counts() {
    return "#   Threads=4: DRAM_BW=30.0 GB/s\n#   Threads=8: DRAM_BW=45.7 GB/s\n"
           "MUL_MAT q4_0 4 3.5 30.0 99.0 9.2 0 0 4096 4096 1 0 0 0 0 0\n"
           "MUL_MAT q4_0 8 3.5 40.1 142.4 9.2 0 0 4096 4096 1 0 0 0 0 0\n";
}

TEST(ProfileText, TakesTheRowsOfTheAskedThreads) {
    const auto p = from_cpu(two_thread_counts(), 4).value();
    EXPECT_EQ(p.cpu->n_threads, 4);
    EXPECT_EQ(p.cpu->dram_gb_per_s, 30.0);
    ASSERT_THAT(p.cpu->rows, SizeIs(1));
    EXPECT_EQ(p.cpu->rows[0].gflops, 99.0);
    EXPECT_THAT(p.notes, IsEmpty());
}

TEST(ProfileText, TakesTheNearestThreadsAndSaysSo) {
    const auto p = from_cpu(two_thread_counts(), 7).value();
    EXPECT_EQ(p.cpu->n_threads, 8);
    EXPECT_THAT(p.notes, ElementsAre(HasSubstr("no rows for 7 threads: those for 8")));
    EXPECT_EQ(from_cpu(two_thread_counts()).value().cpu->n_threads, 8);
}

struct BadText {
    const char* fault;
    std::string text;
    std::string place;  // line and column
    const char* expected;

    friend void PrintTo(const BadText& bad, std::ostream* out) { *out << bad.fault; }
};

// A good header and a line of ours below it, the fourth.
std::string ours(const std::string& pair) {
    return std::string(kCpuHeader) + "# pshard " + pair + "\n";
}

// A row of a matmul: threads, rates and shape.
std::string cpu_row(const std::string& numbers) {
    return "MUL_MAT q4_0 " + numbers + " 0 0 0 0 0\n";
}

class MalformedCpuProfile : public testing::TestWithParam<BadText> {};

TEST_P(MalformedCpuProfile, IsRefusedWithItsPlace) {
    const auto profile = from_cpu(GetParam().text);
    ASSERT_FALSE(profile.ok()) << GetParam().fault;
    EXPECT_THAT(profile.error().text(), StartsWith("cpu_profile.txt:" + GetParam().place + ": "));
    EXPECT_THAT(profile.error().message, HasSubstr(GetParam().expected));
}

const BadText kBadTexts[] = {
    {"word for a number", cpu_row("eight 1 1 1 1 1 1 1 1 1"), "1:14", "threads (a whole number"},
    {"missing columns", "# x\nMUL_MAT q4_0 8 1.0 2.0\n", "2:23", "end of the line"},
    {"extra column",
     "MUL_MAT q4_0 8 1 1 1 1 1 1 1 1 1 0 0 0 0 0 9\n",
     "1:44",
     "end of a row of 17"},
    {"negative rate", cpu_row("8 1 -1 1 1 1 1 1 1 1"), "1:18", "BW"},
    {"not finite", cpu_row("8 1 1 inf 1 1 1 1 1 1"), "1:20", "GFLOP/s"},
    {"a GPU row", kGpuRow, "1:14", "threads"},
    {"empty", "", "1:1", "is this a cpu_profile.txt?"},
    {"header number", "#   Threads=8: DRAM_BW=fast GB/s\n", "1:24", "DRAM_BW="},
    {"header threads", "#   Threads=x: DRAM_BW=1 GB/s\n", "1:13", "Threads="},
    {"our key without value", ours("nothing"), "4:10", "KEY=VALUE"},
    {"our key with a word", ours("link.copy_setup_us=x"), "4:29", "link.copy_setup_us"},
    {"a rate of zero", ours("link.d2h_gb_per_s=0"), "4:28", "from 1e-06 to 1000000000"},
    {"a rate of no machine", ours("link.d2h_gb_per_s=1e308"), "4:28", "from 1e-06 to 1000000000"},
    {"a rate of nearly none", ours("link.d2h_gb_per_s=1e-308"), "4:28", "from 1e-06 to 1000000000"},
    {"a time without end", ours("cpu.graph_us=1e308"), "4:23", "0, or a number from 1e-06"},
    {"a time that is none", ours("cpu.graph_us=nan"), "4:23", "0, or a number from 1e-06"},
    {"a row of no machine", cpu_row("8 1 1 1e308 1 1 1 1 1 1"), "1:20", "GFLOP/s"},
    {"copies of no machine", cpu_row("8 1 1 1 1 1 1e308 1 1 1"), "1:26", "PCIe_Concurrent_BW"},
    {"a size beyond all", cpu_row("8 1 1 1 1 1 1 9000000000000000000 1 1"), "1:28", "N (a whole"},
    {"a header of no machine", "#   Threads=8: DRAM_BW=1e308 GB/s\n", "1:24", "DRAM_BW="},
    {"rows in words", ours("rows=all"), "4:15", "rows (a whole number"},
    {"more than a count of rows", ours("rows=0 1"), "4:17", "end of the line"},
    {"half a slice", ours("link.sliced=0.5"), "4:25", "GB/s (a number from"},
    {"a slice of nothing", ours("link.sliced=0 1"), "4:22", "size of a slice"},
    {"more than a number", ours("link.event_us=2 3"), "4:26", "end of the line"},
    {"a negative time", ours("cpu.graph_us=-1"), "4:23", "0, or a number from"},
    {"half of the cores", ours("machine.cpu_cores="), "4:28", "machine.cpu_cores"},
    {"a copy from nowhere", ours("link.copy=tape 1 2 3"), "4:20", "pinned, registered, pageable"},
    {"a copy of no way", ours("link.copy=pinned 1"), "4:28", "GB/s to the device"},
    {"a copy back at zero", ours("link.copy=pinned 1 2 0"), "4:31", "GB/s to the host"},
    {"a copy of three ways", ours("link.copy=pinned 1 2 3 4"), "4:33", "end of the line"},
    {"memory of half a token", ours("gpu.overhead=0.5 3"), "4:23", "n_ubatch"},
    {"an answer of maybe", ours("link.concurrent_measured=maybe"), "4:35", "0 or 1"},
    {"noise of nothing", ours("row.noisy_percent=0") + kCpuRow, "4:28", "a number from"},
    {"noise at the end", ours("row.noisy_percent=12"), "4:10", "a row directly below"},
    {"noise above a comment",
     ours("row.noisy_percent=12") + "# words\n" + kCpuRow,
     "4:10",
     "a row directly below"},
    {"noise above noise",
     ours("row.noisy_percent=12") + "# pshard row.noisy_percent=13\n" + kCpuRow,
     "4:10",
     "a row directly below"},
    {"too many threads",
     cpu_row("4294967304 1 1 1 1 1 1 1 1 1"),
     "1:14",
     "threads (a whole number from 0 to 1000000)"},
    {"provenance", ours("provenance=guessed"), "4:21", "measured, derived, quick"}};

INSTANTIATE_TEST_SUITE_P(Corpus,
                         MalformedCpuProfile,
                         ValuesIn(kBadTexts),
                         test::NamedByParameter());

TEST(ProfileText, GivesNoiseToTheRowBelow) {
    const std::string noisy = "# pshard row.noisy_percent=12.3\n";
    const std::string cpu = std::string(kCpuHeader) + kCpuRow + noisy + "\n" + kCpuRow + kCpuRow;
    const std::string gpu = std::string(kGpuHeader) + noisy + kGpuRow + kGpuRow;
    const auto p = profile_from_text({cpu, gpu}).value();
    EXPECT_EQ(p.cpu->rows[0].noisy_percent, std::nullopt);
    EXPECT_EQ(p.cpu->rows[1].noisy_percent, 12.3);
    EXPECT_EQ(p.cpu->rows[2].noisy_percent, std::nullopt);
    EXPECT_EQ(p.gpu->rows[0].noisy_percent, 12.3);
    EXPECT_EQ(p.gpu->rows[1].noisy_percent, std::nullopt);
}

// Neither the row nor its noise; the next row has none.
TEST(ProfileText, DropsTheNoiseOfASkippedBenchmark) {
    const std::string skipped = "MUL_MAT q4_0 0.0 0.00 0.00 110.0 4096 4096 16384 0 0 0 0 0\n";
    const auto p =
        profile_from_text(
            {std::nullopt, kGpuHeader + ("# pshard row.noisy_percent=99\n" + skipped) + kGpuRow})
            .value();
    ASSERT_THAT(p.gpu->rows, SizeIs(1));
    EXPECT_EQ(p.gpu->rows[0].noisy_percent, std::nullopt);
}

TEST(ProfileText, RefusesNoiseWithoutARowInAGpuProfile) {
    const auto profile = profile_from_text(
        {std::nullopt, std::string(kGpuHeader) + kGpuRow + "# pshard row.noisy_percent=20\n"});
    ASSERT_FALSE(profile.ok());
    EXPECT_EQ(profile.error().place, (Place{"gpu_profile.txt", 3, 10}));
}

TEST(ProfileText, SortsPointsAndTakesTheLastOfTwo) {
    const auto p = profile_from_text({ours("link.copy=pageable 1 2 3") +
                                          "# pshard link.copy=pinned 8 20 19\n"
                                          "# pshard link.copy=pinned 0.5 9 8\n"
                                          "# pshard link.copy=pinned 8.0 21 18\n",
                                      std::string(kGpuHeader) + "# pshard gpu.overhead=2048 500\n" +
                                          "# pshard gpu.overhead=512 0\n"})
                       .value();
    EXPECT_THAT(p.link.copies,
                ElementsAre(CopyPoint{CopySource::Pinned, 0.5, 9, 8},
                            CopyPoint{CopySource::Pinned, 8, 21, 18},
                            CopyPoint{CopySource::Pageable, 1, 2, 3}));
    EXPECT_THAT(p.gpu->overhead, ElementsAre(OverheadPoint{512, 0}, OverheadPoint{2048, 500}));
}

TEST(ProfileText, TakesAPshardLineBeforeTheHeader) {
    const std::string lines =
        "# pshard link.standalone_gb_per_s=50\n# pshard cpu.copy_efficiency_percent=80\n";
    for (const std::string& text : {lines + kCpuHeader, kCpuHeader + lines}) {
        const auto p = from_cpu(text).value();
        EXPECT_EQ(p.link.standalone_gb_per_s, 50);
        EXPECT_EQ(p.cpu->copy_efficiency_percent, 80);
        EXPECT_EQ(p.link.concurrent_gb_per_s, 29.5);
    }
}

// The CPU file is read first.
TEST(ProfileText, TakesTheFirstWordOnTheMachine) {
    const auto p = profile_from_text({ours("machine.cpu_cores=8") + "# pshard cpu_name=a\n",
                                      std::string(kGpuHeader) +
                                          "# pshard machine.cpu_cores=16\n# pshard cpu_name=b\n"
                                          "# pshard machine.host_memory_mib=64000\n"})
                       .value();
    EXPECT_EQ(p.cpu_cores, 8);
    EXPECT_EQ(p.cpu_name, "a");
    EXPECT_EQ(p.host_memory_mib, 64000);
}

TEST(ProfileText, TakesTheLessTrustedWordOfTwo) {
    for (const auto& [cpu, gpu] : {std::pair{"quick", "derived"}, std::pair{"measured", "quick"}}) {
        const auto p = profile_from_text({ours("provenance=" + std::string(cpu)),
                                          kGpuHeader + ("# pshard provenance=" + std::string(gpu))})
                           .value();
        EXPECT_EQ(p.provenance, Provenance::Quick);
    }
}

TEST(ProfileText, RefusesAMalformedGpuRowWithItsPlace) {
    const auto profile = profile_from_text({std::nullopt, kGpuHeader + std::string(kCpuRow)});
    ASSERT_FALSE(profile.ok());
    EXPECT_EQ(profile.error().place, (Place{"gpu_profile.txt", 2, 36}));
}

// Any cut and any changed byte gives a profile or an error with a place, never a crash.
TEST(ProfileText, SurvivesCutsAndChangedBytes) {
    const std::string good = ours("link.sliced=2 3") + "# pshard link.copy=pinned 1 2 3\n" +
                             "# pshard row.noisy_percent=11\n" + kCpuRow;
    for (size_t i = 0; i < good.size(); i++) {
        for (const char c : {'x', '-', ' ', '\n', '=', '\xff'}) {
            std::string text = good;
            text[i] = c;
            const auto profile = from_cpu(text);
            EXPECT_TRUE(profile.ok() || profile.error().place.line > 0);
        }
        const auto cut = from_cpu(good.substr(0, i));
        EXPECT_TRUE(cut.ok() || cut.error().place.line > 0);
    }
}

std::string output_of(const std::string& command) {
    std::string text;
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::array<char, 4096> part{};
    while (pipe) {
        const size_t n = fread(part.data(), 1, part.size(), pipe.get());
        if (n == 0) break;
        text.append(part.data(), n);
    }
    return text;
}

TEST(ReferenceProfile, IsWhatItsGeneratorWrites) {
    for (const std::string file : {"cpu", "gpu"}) {
        const std::string written =
            output_of("awk -v file=" + file + " -f '" + kReference + "generate.awk'");
        EXPECT_FALSE(written.empty());
        EXPECT_TRUE(written == test::text_in(kReference + file + "_profile.txt"))
            << file << "_profile.txt is stale: see profiles/reference/README.md";
    }
}

TEST(ReferenceProfile, SaysThatItIsDerived) {
    EXPECT_EQ(testing_support::reference_profile().provenance, Provenance::Derived);
    EXPECT_EQ(testing_support::reference_profile().cpu_name, "AMD Ryzen 7 7800X3D");
    EXPECT_EQ(testing_support::reference_profile().gpu->memory_mib, 16302);
}

TEST(ProfileText, RoundTripsTheReference) {
    const MachineProfile p = testing_support::reference_profile();
    EXPECT_EQ(profile_from_text(to_text(p), 8).value(), p);
    EXPECT_EQ(to_text(profile_from_text(to_text(p), 8).value()), to_text(p));
}

const std::string kPage = std::string(PSHARD_SOURCE_DIR) + "/docs/formats/profile.md";

// The fenced blocks of a kind.
std::vector<std::string> examples(const std::string& page, const std::string& kind) {
    std::vector<std::string> blocks;
    const std::string fence = "```" + kind + "\n";
    for (size_t at = 0; (at = page.find(fence, at)) != std::string::npos;) {
        at += fence.size();
        blocks.push_back(page.substr(at, page.find("```", at) - at));
    }
    return blocks;
}

TEST(ProfileFormatPage, HasExamplesThatParse) {
    const std::string page = test::text_in(kPage);
    const auto cpu = examples(page, "cpu");
    const auto gpu = examples(page, "gpu");
    EXPECT_THAT(cpu, SizeIs(2));
    EXPECT_THAT(gpu, SizeIs(2));
    for (const std::string& text : cpu) {
        const auto profile = from_cpu(text);
        EXPECT_TRUE(profile.ok()) << profile.error().text();
    }
    for (const std::string& text : gpu) {
        const auto profile = profile_from_text({std::nullopt, text});
        EXPECT_TRUE(profile.ok()) << profile.error().text();
    }
}

TEST(ProfileFormatPage, HasExamplesOfEachForm) {
    const std::string page = test::text_in(kPage);
    const auto p = profile_from_text({examples(page, "cpu")[0], examples(page, "gpu")[0]}).value();
    EXPECT_EQ(p.cpu_cores, 8);
    EXPECT_EQ(p.cpu->rows[1].noisy_percent, 12.3);
    EXPECT_EQ(p.gpu->rows[0].noisy_percent, 15);
    EXPECT_THAT(p.gpu->overhead, SizeIs(2));
    EXPECT_THAT(p.link.copies, SizeIs(4));
    EXPECT_EQ(p.link.copies[2].source, CopySource::Registered);
    EXPECT_EQ(p.link.copies[2].d2h_gb_per_s, std::nullopt);
    EXPECT_THAT(p.link.sliced, SizeIs(2));
}

// Words in the first column of a table.
std::set<std::string> keys_of_tables(const std::string& page) {
    std::set<std::string> keys;
    std::istringstream lines(page.substr(page.find("## Lines of ours")));
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("| ")) continue;
        std::istringstream words(line.substr(2, line.find(" |", 2) - 2));
        for (std::string word; words >> word;) {
            if (word.ends_with(',')) word.pop_back();
            keys.insert(word);
        }
    }
    keys.erase("key");
    return keys;
}

TEST(ProfileFormatPage, ListsTheKeysThatAreRead) {
    EXPECT_EQ(keys_of_tables(test::text_in(kPage)), test::profile_keys());
}

}  // namespace
}  // namespace pshard
