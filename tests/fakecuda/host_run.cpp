// One run of a model in llama.cpp over the fake: a prompt and single tokens, and what a step of
// each costs the host.
//
//   host_run [--exit after|during] --model FILE --device NAME [--steps N] [flags as in
//   tests/backend/harness/run_options.h]
//
// With --scenario full prompts fill the context before the steps.
// With --exit the process calls exit() with its context still there: after a step, or while another
// thread is in one. Nothing is printed then.
//
// Prints lines "prompt NAME VALUE" and "decode NAME VALUE": what fakecuda/counters.h counts,
// `host_us`, and `sleeps`, how often a thread of the process went to sleep, which is how often one
// was woken. Of single tokens the medians, once graphs are captured; and of the whole run
// `peak_mib` and `rss_mib`, what was resident at most and at its end above what was before the
// model was loaded.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include <dlfcn.h>
#include <sys/resource.h>

#include <fmt/format.h>

#include "backend/harness/session.h"
#include "fakecuda/counters.h"

namespace pshard::backend_test {
namespace {

using fakecuda::Counts;

constexpr int kTokensMore = 8;  // than a ubatch has: a prompt is two
constexpr int kStepsBefore = 6;

struct Sample {
    Counts counts{};
    long sleeps = 0;
    std::chrono::steady_clock::time_point time{};
};

// The fake that the backend has loaded; nullptr: it has loaded none.
decltype(&fakecuda_counts) counts_function() {
    void* cudart = dlopen("libcudart.so.13", RTLD_LAZY | RTLD_NOLOAD);
    if (cudart == nullptr) return nullptr;
    return reinterpret_cast<decltype(&fakecuda_counts)>(dlsym(cudart, "fakecuda_counts"));
}

Sample sample() {
    Sample now;
    if (const auto counts = counts_function()) counts(now.counts.data());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    now.sleeps = usage.ru_nvcsw;
    now.time = std::chrono::steady_clock::now();
    return now;
}

using Step = std::map<std::string, double>;

Step difference(const Sample& before, const Sample& after) {
    Step step;
    for (std::size_t i = 0; i < fakecuda::kCounts; ++i) {
        step[fakecuda::kCountNames[i]] = static_cast<double>(after.counts[i] - before.counts[i]);
    }
    step["sleeps"] = static_cast<double>(after.sleeps - before.sleeps);
    step["host_us"] = std::chrono::duration<double, std::micro>(after.time - before.time).count();
    return step;
}

template <typename Body>
Step measured(const Body& body) {
    const Sample before = sample();
    body();
    return difference(before, sample());
}

Step median(const std::vector<Step>& steps) {
    Step middle;
    for (const auto& [name, value] : steps.front()) {
        std::vector<double> values;
        for (const Step& step : steps) values.push_back(step.at(name));
        std::ranges::sort(values);
        middle[name] = values[values.size() / 2];
    }
    return middle;
}

void print(const char* what, const Step& step) {
    for (const auto& [name, value] : step) fmt::print("{} {} {:.0f}\n", what, name, value);
}

// Ends the process as a host does that has had enough. `thread`: another one decodes meanwhile.
[[noreturn]] void exit_from(Decoder& decoder, Sequence& sequence, bool thread) {
    constexpr std::chrono::milliseconds kMeanwhile{20};
    if (thread) {
        std::thread([&] { decoder.generate(sequence, 1 << 20); }).detach();
        std::this_thread::sleep_for(kMeanwhile);
    }
    std::exit(0);
}

// A host whose own end takes a while, after that of all libraries that it has loaded.
void end_slowly() { std::this_thread::sleep_for(std::chrono::milliseconds(200)); }

// MiB of a line of /proc/self/status.
double status_mib(const std::string& name) {
    std::ifstream lines("/proc/self/status");
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name + ":")) return std::stod(line.substr(name.size() + 1)) / 1024;
    }
    return 0;
}

void run(const RunOptions& options, const std::string& exit) {
    load_backends();
    const double before = status_mib("VmRSS");
    const ModelPtr model = load_model(options);
    const ContextPtr context = make_context(model, context_params(options));
    Records records;
    Decoder decoder(context.get(), records, options.seed);
    Sequence sequence;
    const int n_prompt = options.n_ubatch + kTokensMore;
    const Step prompt = measured([&] { decoder.prompt(sequence, n_prompt); });
    if (exit.empty()) print("prompt", prompt);
    if (options.scenario == "full") {
        const int most = options.n_ctx - kStepsBefore - options.n_steps;
        while (sequence.position + n_prompt <= most) decoder.prompt(sequence, n_prompt);
    }
    decoder.generate(sequence, kStepsBefore);
    if (!exit.empty()) exit_from(decoder, sequence, exit == "during");
    std::vector<Step> steps;
    for (int i = 0; i < options.n_steps; ++i) {
        steps.push_back(measured([&] { decoder.generate(sequence, 1); }));
    }
    Step decode = median(steps);
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(ggml_backend_dev_by_name(options.device.c_str()), &props);
    decode["maps_models"] = props.caps.mmap_support ? 1 : 0;
    decode["peak_mib"] = status_mib("VmHWM") - before;
    decode["rss_mib"] = status_mib("VmRSS") - before;
    print("decode", decode);
}

}  // namespace
}  // namespace pshard::backend_test

int main(int argc, char** argv) {
    using namespace pshard::backend_test;  // NOLINT(google-build-using-namespace): this program's
                                           // own
    const bool exits = argc > 2 && std::string(argv[1]) == "--exit";
    if (exits) std::atexit(end_slowly);
    const auto options = parse_options({argv + (exits ? 3 : 1), argv + argc});
    if (!options) fail(options.error().text());
    run(options.value(), exits ? argv[2] : "");
    return 0;
}
