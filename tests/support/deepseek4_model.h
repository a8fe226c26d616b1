// A model file of DeepSeek-V4-Flash's shape: 8349 nodes a graph, caches of windows and compressed
// ones. Planning took longest on it.
#pragma once

#include <filesystem>

namespace pshard::testing_support {

// Its header over a hole, without a vocabulary, written once per process and kept until it ends.
std::filesystem::path deepseek4_model();

}  // namespace pshard::testing_support
