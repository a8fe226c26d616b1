#include "backend/harness/programs.h"
#include "build_paths.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;

// Shares of about 20 architectures, by the first letters of their names.
constexpr std::array kArchShares = {
    "^(a|b|c)", "^(d|e|f)", "^g", "^(h|i|j|k|la|lf|ll)", "^m", "^(n|o|p)", "^(q|r|s|t|x|w)"};

fs::path work_folder() { return fs::path(PSHARD_LOGITS_RUN).parent_path() / "backend-runs"; }

std::string text_file() {
    fs::create_directories(work_folder());
    const fs::path path = work_folder() / "text.txt";
    const fs::path mine = path.string() + fmt::format(".{}", getpid());
    std::ofstream out(mine);
    for (int i = 0; i < 60; ++i) {
        out << "the quick brown fox number " << i << " jumps over the lazy dog and runs away.\n";
    }
    out.close();
    fs::rename(mine, path);
    return path.string();
}

// The lines of `text` that hold one of `words`; without the clock that llama.cpp's log begins with.
std::vector<std::string> lines_with(const std::string& text,
                                    const std::vector<std::string>& words) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        for (const std::string& word : words) {
            const std::size_t at = line.find(word);
            if (at != std::string::npos) lines.push_back(line.substr(at));
        }
    }
    return lines;
}

// One of the program's two runs, in a folder of its own, as some write files.
ChildProgram program_of(const Suite& suite, const InnerDevice& device, bool stock) {
    Grid grid(device);
    ChildProgram program;
    program.command = {fmt::format("{}/{}", PSHARD_LLAMA_BIN_DIR, suite.program)};
    for (std::string flag : suite.flags) {
        if (flag == "MODEL") flag = grid.model_file(model_row(suite.model));
        if (flag == "TEXT") flag = text_file();
        program.command.push_back(flag);
    }
    if (suite.names_device) {
        program.with({"--device", stock ? device.stock_name : "PSHARD0"});
        if (stock && device.name == "cpu") program.with({"--no-repack"});
    }
    program.folder = work_folder() / fmt::format("{}.folder", getpid());
    program.limit_seconds = suite.limit_seconds * (device.as_cpu ? 1 : 4);
    return program;
}

ChildResult run_in_folder(ChildProgram& program, const Environment& environment) {
    program.environment.insert(environment.begin(), environment.end());
    program.environment["GGML_NO_BACKTRACE"] = "1";
    fs::create_directories(program.folder);
    ChildResult result = run(program);
    fs::remove_all(program.folder);
    return result;
}

bool ended_right(const Suite& suite, const ChildResult& result) {
    return result.exit_code == suite.exit_code && !result.timed_out;
}

// What of a run is compared: all that it prints, or the lines with certain words.
std::vector<std::string> said(const Suite& suite, const ChildResult& result) {
    const bool all = suite.same_lines == std::vector<std::string>{""};
    return all ? std::vector<std::string>{result.out}
               : lines_with(result.out + result.err, suite.same_lines);
}

// llama.cpp's log has a thread of its own and is not flushed when a program ends (its
// common_log_main says so), so that a loaded machine loses the last lines now and then.
bool lost_its_end(const Suite& suite, const ChildResult& expected, const ChildResult& actual) {
    const auto wanted = said(suite, expected);
    const auto found = said(suite, actual);
    if (wanted.empty() || found.empty()) return true;
    return wanted[0].starts_with(found[0]) || found[0].starts_with(wanted[0]);
}

std::string what_differs(const Suite& suite,
                         const ChildResult& expected,
                         const ChildResult& actual,
                         bool exact) {
    if (!ended_right(suite, expected)) return "the stock run: " + expected.text();
    if (!ended_right(suite, actual)) return actual.text();
    const auto wanted = said(suite, expected);
    const auto found = said(suite, actual);
    const bool same =
        exact ? wanted == found : std::ranges::equal(wanted, found, same_but_for_fractions);
    if (!wanted.empty() && same) return "";
    return fmt::format("stock says {}, this run {}", wanted, found);
}

}  // namespace

ChildProgram llama_program(const std::string& name,
                           const std::string& model_file,
                           const std::string& device) {
    ChildProgram program;
    program.command = {fmt::format("{}/{}", PSHARD_LLAMA_BIN_DIR, name), "-m", model_file};
    program.with({"--device", device, "-t", "1"});
    if (device == "none") program.with({"--no-repack"});
    program.environment["GGML_NO_BACKTRACE"] = "1";
    return program;
}

ChildProgram completion(const std::string& model_file, int n_predict) {
    return llama_program("llama-completion", model_file, "PSHARD0")
        .with({"-p", "hello", "-no-cnv", "--temp", "0", "-n", std::to_string(n_predict)});
}

std::string archs_of_today() {
    const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    const auto day = static_cast<std::size_t>(today.time_since_epoch().count());
    return kArchShares[day % kArchShares.size()];
}

bool same_but_for_fractions(const std::string& a, const std::string& b) {
    static const std::regex fraction("[0-9]+\\.[0-9]+");
    if (std::regex_replace(a, fraction, "#") != std::regex_replace(b, fraction, "#")) return false;
    const auto fractions = [](const std::string& text) {
        return std::sregex_iterator(text.begin(), text.end(), fraction);
    };
    for (auto x = fractions(a), y = fractions(b); x != std::sregex_iterator(); ++x, ++y) {
        const double wanted = std::stod(x->str());
        if (std::abs(std::stod(y->str()) - wanted) > wanted / 100) return false;
    }
    return true;
}

SuiteResult run_suite(const Suite& suite, const InnerDevice& device, const PlanRow& plan) {
    SuiteResult result;
    ChildProgram program = program_of(suite, device, false);
    if (!fs::exists(program.command[0])) {
        result.missing = suite.program + " was not built";
        return result;
    }
    Environment environment = pshard_environment(device, plan);
    if (suite.all_ggml_backends) environment["LD_PRELOAD"] += ":" PSHARD_LOAD_BACKENDS;
    const ChildResult actual = run_in_folder(program, environment);
    result.seconds = actual.seconds;
    std::string fault = ended_right(suite, actual) ? "" : actual.text();
    for (const std::string& words : suite.must_say) {
        if (!fault.empty() || (actual.out + actual.err).find(words) != std::string::npos) continue;
        fault = fmt::format("it does not say '{}': {}", words, actual.text());
    }
    ChildProgram stock = program_of(suite, device, true);
    if (fault.empty() && !suite.same_lines.empty()) {
        const bool exact = Grid(device).computes_as_stock(model_row(suite.model), plan);
        ChildResult mine = actual;
        ChildResult theirs = run_in_folder(stock, device.stock);
        fault = what_differs(suite, theirs, mine, exact);
        for (int i = 0; i < 4 && !fault.empty() && lost_its_end(suite, theirs, mine); ++i) {
            mine = run_in_folder(program, environment);
            theirs = run_in_folder(stock, device.stock);
            fault = what_differs(suite, theirs, mine, exact);
        }
    }
    result.good = fault.empty();
    result.text = fmt::format(
        "{}\n  stock: {}\n  run:   {}", fault, stock.shell_line(), program.shell_line());
    return result;
}

namespace {

// Flags as a user types them; '~' stands for a blank within one.
std::vector<std::string> typed(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
    for (std::string& word : words) std::ranges::replace(word, '~', ' ');
    return words;
}

std::vector<Suite> plain_programs() {
    return {
        {.name = "completion",
         .program = "llama-completion",
         .flags = typed(
             "-m MODEL -p hello~the~world -n 40 --temp 0 -no-cnv --ignore-eos -s 1 -t 1 -c 256"),
         .same_lines = {""}},
        {.name = "perplexity",
         .program = "llama-perplexity",
         .flags = typed("-m MODEL -f TEXT -c 128 -t 1"),
         .same_lines = {"Final estimate"}},
        {.name = "bench",
         .program = "llama-bench",
         .flags = typed("-m MODEL -dev PSHARD0 -p 32 -n 8 -r 1 -t 1"),
         .names_device = false,
         .must_say = {"pp32", "tg8"}},
    };
}

// Tests of llama.cpp's, but for those of a backend.
std::vector<Suite> model_tests() {
    return {
        {.name = "save-load-state",
         .program = "test-save-load-state",
         .flags = typed("-m MODEL -t 1 -c 256")},
        {.name = "state-restore-fragmented",
         .program = "test-state-restore-fragmented",
         .flags = typed("-m MODEL -t 1")},
        // Stock fails the second half, where two sequences go back and on in several ubatches.
        {.name = "recurrent-state-rollback",
         .program = "test-recurrent-state-rollback",
         .flags = typed("-m MODEL -t 1"),
         .model = "qwen35moe-Q8_0",
         .same_lines = {"test_rollback", "test_multi_seq_split_replay"},
         .must_say = {"checkpoint restored successfully"},
         .exit_code = 1},
        {.name = "thread-safety",
         .program = "test-thread-safety",
         .flags =
             typed("-m MODEL -ngl 99 -p The~meaning~of~life~is -n 32 -c 256 -ub 32 -np 2 -t 1"),
         .names_device = false},
    };
}

std::vector<Suite> backend_tests() {
    return {
        {.name = "archs-of-today",
         .program = "test-llama-archs",
         .flags = {"-s", "1", "-a", archs_of_today()},
         .names_device = false,
         .all_ggml_backends = true,
         .must_say = {"OK"}},
        {.name = "backend-ops",
         .program = "test-backend-ops",
         .flags = {"-b",
                   "PSHARD0",
                   "-o",
                   "ADD,RMS_NORM,SOFT_MAX,ROPE",
                   "-p",
                   R"(ne(_a)?=\[[0-9]{1,3},[0-9]{1,2},[0-9],[0-9]\])"},
         .names_device = false,
         .pass_only = true,
         .must_say = {"Backend PSHARD0: "}},
    };
}

}  // namespace

const std::vector<Suite>& quick_suites() {
    static const std::vector<Suite> suites = [] {
        std::vector<Suite> all = plain_programs();
        for (Suite& suite : model_tests()) all.push_back(std::move(suite));
        for (Suite& suite : backend_tests()) all.push_back(std::move(suite));
        return all;
    }();
    return suites;
}

const std::vector<Suite>& slow_suites() {
    static const std::vector<Suite> suites = {
        {.name = "archs",
         .program = "test-llama-archs",
         .flags = typed("-s 2"),
         .names_device = false,
         .all_ggml_backends = true,
         .must_say = {"OK"},
         .limit_seconds = 900},
        {.name = "perplexity-qwen3next",
         .program = "llama-perplexity",
         .flags = typed("-m MODEL -f TEXT -c 128 -t 1"),
         .model = "qwen3next-Q8_0",
         .same_lines = {"Final estimate"}},
        {.name = "backend-ops-more",
         .program = "test-backend-ops",
         .flags =
             typed("-b PSHARD0 -o "
                   "ADD,MUL,MUL_MAT,CPY,CONT,SET_ROWS,ROPE,FLASH_ATTN_EXT,SSM_SCAN,SSM_CONV,NORM"),
         .names_device = false,
         .pass_only = true,
         .must_say = {"Backend PSHARD0: "},
         .limit_seconds = 1800},
    };
    return suites;
}

}  // namespace pshard::backend_test
