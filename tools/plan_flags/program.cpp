#include "plan_flags/program.h"

#include "common/log.h"
#include "common/output.h"

namespace pshard::tool {
namespace {

int tell(const Outcome& outcome) {
    for (const std::string& note : outcome.notes) log_line("note: " + note);
    const std::string written = outcome.written.empty() ? "" : "; " + outcome.written;
    const int code = print(outcome.text, outcome.exit_code, written);
    if (!outcome.refusal.empty()) log_line("refused: " + outcome.refusal);
    return code;
}

int run(const std::variant<Task, EarlyExit>& read) {
    if (const auto* early = std::get_if<EarlyExit>(&read)) return end_early(*early);
    const Task& task = std::get<Task>(read);
    for (const std::string& refusal : task.refusals) log_line("refused: " + refusal);
    if (!task.refusals.empty()) return kDeclined;
    const Result<Outcome> outcome = task.work();
    return outcome ? tell(outcome.value()) : fail(outcome.error().text());
}

}  // namespace

int run_program(const std::function<std::variant<Task, EarlyExit>()>& read) {
    return guarded([&] { return run(read()); });
}

}  // namespace pshard::tool
