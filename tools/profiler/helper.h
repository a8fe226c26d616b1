// Runs this program a second time, as a helper: with an environment that a backend reads only when
// it is loaded, and with a device context of its own, whose memory can be seen from outside.
#pragma once

#include <map>
#include <string>

#include <sys/types.h>

#include "base/descriptor.h"
#include "base/result.h"

namespace pshard::tool {

// The first argument of a helper.
inline constexpr const char kHelperFlag[] = "--helper";

// The main function of a helper: obeys requests on stdin until its end, answers on stdout.
int run_helper();

class Helper {
public:
    // Starts a helper. `environment` is added to this process's own.
    static Result<Helper> start(const std::map<std::string, std::string>& environment);
    Helper(Helper&& other) noexcept;
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;
    Helper& operator=(Helper&&) = delete;
    ~Helper();  // ends it

    // One line each way:
    //   "launch DEVICE"     -> "NODE_SECONDS GRAPH_SECONDS", the second -1 where it is not known
    //   "run DEVICE TOKENS" -> "BYTES": how much less is free than when the helper was first asked;
    //                          below 0: others gave some back. (probe/sample_run.h; the device
    //                          stays open)
    // Fails when the helper says why it could not, ends, or does not answer for two minutes.
    Result<std::string> ask(const std::string& request);

private:
    Helper() = default;

    pid_t pid_ = -1;
    Descriptor in_;   // requests go there
    Descriptor out_;  // answers come from there
};

}  // namespace pshard::tool
