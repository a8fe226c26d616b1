// A GPU on any machine: ggml's Vulkan backend over Mesa's lavapipe, a driver that computes on the
// CPU behind real queues. Only tests that ask for it see it.
#pragma once

#include <map>
#include <string>

namespace pshard::testing_support {

// What a program must find in its environment to see the GPU as "Vulkan0", and no other.
std::map<std::string, std::string> gpu_environment();

// Loads ggml's backends, and Vulkan0 with them, into this process. Returns why there is no GPU; ""
// when there is one.
std::string load_gpu();

}  // namespace pshard::testing_support

// Skips a test, and says why, where the Vulkan backend or the driver is missing.
#define PSHARD_NEEDS_GPU()                                                               \
    do {                                                                                 \
        const std::string missing = ::pshard::testing_support::load_gpu();               \
        if (!missing.empty()) GTEST_SKIP() << "needs a GPU, there is none: " << missing; \
    } while (false)
