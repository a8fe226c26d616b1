// Every profile that can be measured comes back from its text as it was.
#include <random>

#include "machine/profile_keys.h"
#include "machine/profile_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

// Profiles as the profilers could write them: a value of its form in each field of the tables,
// rates above 0, points ascending. What may be unknown is so in some of them.
class RandomProfile {
public:
    explicit RandomProfile(unsigned seed) : random_(seed) {}

    MachineProfile machine() {
        MachineProfile p;
        const bool has_cpu = below(4) > 0;
        const bool has_gpu = below(4) > 0;
        if (!has_cpu && !has_gpu) return p;  // no file
        for (const auto& field : kMachineTexts) field.read(words(), p);
        fill(p, kProvenanceFields);
        fill(p, kMachineNumbers);
        if (has_cpu) p.cpu = cpu();
        if (has_gpu) p.gpu = gpu();
        fill(p.link, kLinkFields);
        fill(p.link, kLinkAnswers);
        p.link.sliced = points(kSlicedColumns, [](const auto& point) { return point.slice_mb; });
        p.link.copies = points(
            kCopyColumns, [](const auto& point) { return std::tuple(point.source, point.mb); });
        return p;
    }

private:
    std::size_t below(std::size_t n) { return random_() % n; }

    // As published, with few digits, or with all of them, from 1e-12 to 1e18; or a word of a form.
    std::string value() {
        constexpr std::array kWords = {
            "0", "1", "measured", "derived", "quick", "pinned", "registered", "pageable"};
        const double mantissa = 1 + double(below(1 << 20)) / (1 << 18);
        switch (below(4)) {
            case 0:
                return fmt::format("{}", double(1 + below(1000)) / 10);
            case 1:
                return fmt::format("{}", random_() >> below(32));
            case 2:
                return kWords.at(below(kWords.size()));
            default:
                return fmt::format("{}", mantissa * std::pow(10, double(below(30)) - 12) / 3);
        }
    }

    template <typename Record>
    void fill(Record& record, Fields<Record> fields) {
        for (const Field<Record>& field : fields) {
            if (field.may_miss && below(3) == 0) continue;
            while (!field.read(value(), record)) continue;
        }
    }

    std::string words() {
        constexpr std::string_view kLetters = "aZ9 =#:,()%\t.\xc3";
        std::string text;
        for (std::size_t i = below(12); i > 0; i--) text += kLetters[below(kLetters.size())];
        return text;
    }

    std::vector<OpRow> rows(bool is_cpu) {
        std::vector<OpRow> rows(below(4));
        for (OpRow& row : rows) {
            row.op = below(2) > 0 ? "MUL_MAT" : "FLASH_ATTN_GQA-8";
            row.quant = below(2) > 0 ? "q4_K" : "f16";
            while (row.gflops == 0 || row.gb_per_s == 0) fill(row, kRateColumns);
            if (is_cpu) fill(row, kCopiesColumns);
            if (row.gflops_under_copies == row.gflops) row.gflops_under_copies.reset();
            fill(row, kShapeColumns);
            fill(row, kNoiseFields);
        }
        return rows;
    }

    CpuProfile cpu() {
        CpuProfile cpu;
        cpu.n_threads = int(1 + below(256));
        if (below(3) > 0) cpu.dram_gb_per_s = 45.7;
        fill(cpu, kCpuFields);
        cpu.rows = rows(true);
        return cpu;
    }

    GpuProfile gpu() {
        GpuProfile gpu;
        gpu.backend = below(3) > 0 ? "CUDA0" : "";
        fill(gpu, kGpuHeadFields);
        fill(gpu, kGpuFields);
        gpu.overhead = points(kOverheadColumns, [](const auto& point) { return point.n_ubatch; });
        gpu.rows = rows(false);
        return gpu;
    }

    template <typename Point, std::size_t N, typename Key>
    std::vector<Point> points(const std::array<Field<Point>, N>& columns, Key key) {
        std::vector<Point> points(below(6));
        for (Point& point : points) fill(point, columns);
        std::ranges::sort(points, {}, key);
        const auto same = std::ranges::unique(points, {}, key);
        points.erase(same.begin(), same.end());
        return points;
    }

    std::mt19937 random_;
};

// What the published reader does with a file: it passes over lines that begin with '#', and takes
// from any other two words and as many numbers as it has columns.
std::size_t rows_of_published_reader(const std::string& text, std::size_t n_columns) {
    std::size_t n_rows = 0;
    for (const TextLine line : lines_of(text, "")) {
        if (line.text.empty() || line.text[0] == '#') continue;
        std::istringstream words{std::string(line.text)};
        std::string word;
        words >> word >> word;
        std::size_t n_read = 2;
        for (double number = 0; words >> number;) n_read++;
        EXPECT_EQ(n_read, n_columns) << line.text;
        n_rows++;
    }
    return n_rows;
}

constexpr unsigned kProfiles = 2000;

TEST(ProfileRoundTrip, KeepsAnyProfile) {
    for (unsigned seed = 0; seed < kProfiles; seed++) {
        const MachineProfile p = RandomProfile(seed).machine();
        const ProfileTexts texts = to_text(p);
        const auto back = profile_from_text(texts);
        ASSERT_TRUE(back.ok()) << seed << ": " << back.error().text();
        ASSERT_EQ(to_text(back.value()), texts) << seed;
        ASSERT_TRUE(back.value() == p) << seed << ": " << texts.cpu.value_or("") << "\n"
                                       << texts.gpu.value_or("");
    }
}

TEST(ProfileRoundTrip, LeavesTheRowsToThePublishedReader) {
    for (unsigned seed = 0; seed < 200; seed++) {
        const MachineProfile p = RandomProfile(seed).machine();
        const ProfileTexts texts = to_text(p);
        if (p.cpu) {
            EXPECT_EQ(rows_of_published_reader(*texts.cpu, 17), p.cpu->rows.size());
        }
        if (p.gpu) {
            EXPECT_EQ(rows_of_published_reader(*texts.gpu, 14), p.gpu->rows.size());
        }
    }
}

// The random profiles leave no field out: each key is written and read by some of them.
TEST(ProfileRoundTrip, WritesEveryKey) {
    std::string all;
    for (unsigned seed = 0; seed < 100; seed++) {
        const ProfileTexts texts = to_text(RandomProfile(seed).machine());
        all += texts.cpu.value_or("") + texts.gpu.value_or("");
    }
    for (const std::string& key : test::profile_keys()) {
        EXPECT_THAT(all, HasSubstr("# pshard " + key + "="));
    }
}

// 1, 2, 3 ... in the order of the fields.
TEST(ProfileKeys, NameTheFieldsThatTheyFill) {
    const std::string link =
        "# pshard link.standalone_gb_per_s=1\n# pshard link.d2h_gb_per_s=2\n"
        "# pshard link.concurrent_gb_per_s=3\n# pshard link.concurrent_measured=1\n"
        "# pshard link.pageable_gb_per_s=4\n# pshard link.sliced=5 6\n"
        "# pshard link.page_lock_ceiling_gb=7\n# pshard link.copy_setup_us=8\n"
        "# pshard link.engine_switch_us=9\n# pshard link.registered_gb_per_s=10\n"
        "# pshard link.duplex_gb_per_s=11\n# pshard link.under_gpu_gb_per_s=12\n"
        "# pshard link.register_s_per_gib=13\n# pshard link.event_us=14\n"
        "# pshard link.copy=registered 15 16 17\n";
    const std::string cpu =
        "# Concurrent Profiling (threads=1)\n"
        "# pshard cpu_name=a\n# pshard gpu_name=b\n# pshard os_name=c\n# pshard source=d\n"
        "# pshard gpu_driver=e\n# pshard link_name=f\n# pshard ggml_version=g\n# pshard date=h\n"
        "# pshard machine.cpu_cores=2\n# pshard machine.host_memory_mib=3\n"
        "# pshard provenance=quick\n"
        "# pshard cpu.copy_efficiency_percent=2\n# pshard cpu.vector_gflops=3\n"
        "# pshard cpu.launch_us=4\n# pshard cpu.graph_us=5\n";
    const std::string gpu =
        "# GPU Profiling (backend=X, GPU_Memory_BW=1 GB/s, GPU_Peak_Compute=2 GFLOP/s)\n"
        "# pshard gpu.vector_gflops=3\n# pshard gpu.memory_mib=4\n# pshard gpu.overhead_mib=5\n"
        "# pshard gpu.overhead_unseen_mib=14\n# pshard gpu.launch_us=6\n"
        "# pshard gpu.scan_step_us=7\n# pshard gpu.subgraph_us=8\n"
        "# pshard gpu.launch_uncaptured_us=9\n# pshard gpu.subgraph_uncaptured_us=10\n"
        "# pshard gpu.copy_efficiency_percent=11\n# pshard gpu.overhead=12 13\n";
    MachineProfile p{"a", "b", "c", "d", "e", "f", "g", "h", 2, 3, Provenance::Quick};
    p.cpu = CpuProfile{1, std::nullopt, 2, 3, 4, 5, {}};
    p.gpu = GpuProfile{"X", 1, 2, 3, 4, 5, 14, 6, 7, 8, 9, 10, 11, {{12, 13}}, {}};
    p.link = {1,
              2,
              3,
              true,
              4,
              {{5, 6}},
              7,
              8,
              9,
              10,
              11,
              12,
              13,
              14,
              {{CopySource::Registered, 15, 16, 17}}};
    EXPECT_EQ(profile_from_text({cpu + link, gpu}).value(), p);
    EXPECT_EQ(profile_from_text(to_text(p)).value(), p);
}

TEST(ProfileRoundTrip, SaysNothingTwice) {
    const std::string lines =
        "#   Threads=8: DRAM_BW=1 GB/s, PCIe_Standalone=2 GB/s, "
        "PCIe_Concurrent=3 GB/s (CPU_Eff=4%)\n";
    const auto texts = to_text(profile_from_text({lines, std::nullopt}).value());
    EXPECT_THAT(*texts.cpu, HasSubstr("PCIe_Concurrent=3.0 GB/s (CPU_Eff=4.0%)"));
    EXPECT_THAT(*texts.cpu, Not(HasSubstr("# pshard link")));
    EXPECT_THAT(*texts.cpu, Not(HasSubstr("# pshard cpu")));
}

// The forms of the format page.
TEST(ProfileRoundTrip, WritesAsThePageSays) {
    MachineProfile p;
    p.cpu_cores = 8;
    p.cpu.emplace();
    p.cpu->graph_us = 12.5;
    p.gpu.emplace();
    p.gpu->overhead = {{512, 310}};
    p.gpu->rows.resize(1);
    p.gpu->rows[0].op = "ADD";
    p.gpu->rows[0].quant = "f32";
    p.gpu->rows[0].noisy_percent = 12.3;
    p.link.copies = {{CopySource::Pinned, 0.5, 20.1, 19.8},
                     {CopySource::Registered, 8, 43.1, std::nullopt}};
    const ProfileTexts texts = to_text(p);
    EXPECT_THAT(*texts.cpu, HasSubstr("\n# pshard machine.cpu_cores=8.0\n"));
    EXPECT_THAT(*texts.cpu, HasSubstr("\n# pshard cpu.graph_us=12.5\n"));
    EXPECT_THAT(*texts.cpu, HasSubstr("\n# pshard link.copy=pinned 0.5 20.1 19.8\n"));
    EXPECT_THAT(*texts.cpu, HasSubstr("\n# pshard link.copy=registered 8.0 43.1\n"));
    EXPECT_THAT(*texts.gpu, HasSubstr("\n# pshard machine.cpu_cores=8.0\n"));
    EXPECT_THAT(*texts.gpu, HasSubstr("\n# pshard gpu.overhead=512 310.0\n"));
    EXPECT_THAT(*texts.gpu, HasSubstr("\n# pshard row.noisy_percent=12.3\nADD f32 "));
    EXPECT_THAT(*texts.cpu, HasSubstr("\n# pshard rows=0\n# op_name "));
    EXPECT_THAT(*texts.gpu, HasSubstr("\n# pshard rows=1\n# op_name "));
}

}  // namespace
}  // namespace pshard
