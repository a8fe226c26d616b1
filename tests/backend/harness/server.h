// llama-server as its clients see it, and a talk with it that touches all its slots.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "backend/harness/child_run.h"
#include "base/result.h"
#include "base/temp_folder.h"

namespace pshard::backend_test {

// A llama-server on a socket file in a folder of its own, where it saves slots too.
class Server {
public:
    // `program`: the server's flags and environment, without where to listen.
    explicit Server(ChildProgram program);

    // Fails if it ends before it has loaded its model; then with what it said.
    Status wait_until_ready();

    // The reply's JSON. Fails if it is no 200, or the server has died.
    Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body);

    // Asks it to stop, as a service manager would. Once.
    const ChildResult& stop();

    [[nodiscard]] const ChildProgram& program() const { return program_; }

private:
    test::TempFolder folder_{};
    ChildProgram program_;
    RunningChild child_;
};

// One line for each answer: what was asked, tokens and their probabilities, how many of the prompt
// were cached and how many tokens were drafted. Servers that compute the same say the same lines.
using Talk = std::vector<std::string>;
using Talker = Result<Talk> (*)(Server&);

// At temperature 0: a short and a long prompt, a cached prefix, four prompts as one batch, a slot
// saved, erased and restored. What is computed together is decided by the requests alone.
Result<Talk> talk(Server& server);

// Four clients at a time, twice, with prompts of different lengths: what is computed together is
// chance. Two servers say the same where a batch's make-up changes no token, as on the CPU.
Result<Talk> crowded_talk(Server& server);

// Long answers to few prompts, for a server with a draft model.
Result<Talk> drafted_talk(Server& server);

// Four answers that are longer than a slot's context, for a server that shifts it.
Result<Talk> endless_talk(Server& server);

// Pictures alone, two in a prompt, and one that is cached, for a server with a vision projector.
Result<Talk> seeing_talk(Server& server);

// A talk, a silence of seconds, and the talk again, for a server that frees its model meanwhile.
Result<Talk> broken_talk(Server& server);

}  // namespace pshard::backend_test
