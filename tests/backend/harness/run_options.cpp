#include "backend/harness/run_options.h"

#include <charconv>
#include <map>
#include <variant>

#include <fmt/format.h>

namespace pshard::backend_test {
namespace {

using Path = std::filesystem::path;
using Field = std::
    variant<std::string RunOptions::*, Path RunOptions::*, int RunOptions::*, bool RunOptions::*>;

const std::map<std::string, Field>& fields() {
    static const std::map<std::string, Field> fields = {
        {"--model", &RunOptions::model},
        {"--out", &RunOptions::out},
        {"--scenario", &RunOptions::scenario},
        {"--device", &RunOptions::device},
        {"-ot", &RunOptions::cpu_tensors},
        {"-fa", &RunOptions::flash_attn},
        {"-ctk", &RunOptions::type_k},
        {"-ctv", &RunOptions::type_v},
        {"--load-mode", &RunOptions::load_mode},
        {"-ngl", &RunOptions::n_gpu_layers},
        {"-c", &RunOptions::n_ctx},
        {"-b", &RunOptions::n_batch},
        {"-ub", &RunOptions::n_ubatch},
        {"-np", &RunOptions::n_seq_max},
        {"--threads", &RunOptions::n_threads},
        {"--seed", &RunOptions::seed},
        {"--steps", &RunOptions::n_steps},
        {"-kvu", &RunOptions::kv_unified},
        {"--swa-full", &RunOptions::swa_full},
        {"--no-repack", &RunOptions::no_repack},
        {"--no-op-offload", &RunOptions::no_op_offload},
        {"-nkvo", &RunOptions::no_kv_offload},
        {"--host-buffers", &RunOptions::host_buffers},
        {"--mtp", &RunOptions::load_mtp},
    };
    return fields;
}

bool set(int& field, const std::string& text) {
    const char* end = text.data() + text.size();
    const auto [stopped, fault] = std::from_chars(text.data(), end, field);
    return fault == std::errc() && stopped == end;
}

bool set(std::string& field, const std::string& text) {
    field = text;
    return true;
}

bool set(Path& field, const std::string& text) {
    field = text;
    return true;
}

bool set(bool& field, const std::string&) { return field = true; }

}  // namespace

Result<RunOptions> parse_options(const std::vector<std::string>& arguments) {
    RunOptions options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& flag = arguments[i];
        const auto field = fields().find(flag);
        if (field == fields().end()) return Error{fmt::format("no flag '{}'", flag), {}};
        std::string value;
        if (!std::holds_alternative<bool RunOptions::*>(field->second)) {
            if (++i == arguments.size()) return Error{fmt::format("{} needs a value", flag), {}};
            value = arguments[i];
        }
        const bool good =
            std::visit([&](auto member) { return set(options.*member, value); }, field->second);
        if (!good) return Error{fmt::format("{}: not a number: '{}'", flag, value), {}};
    }
    if (options.model.empty()) return Error{"--model is missing", {}};
    return options;
}

}  // namespace pshard::backend_test
