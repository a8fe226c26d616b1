// Which kernels a CPU backend computes a weight with. For some types of weights it has layouts of
// its own (repacked, AMX), whose kernels round otherwise. Which types these are depends on the CPU
// and on how the backend was compiled, so the backend is asked (hosts/cpu_layouts.cpp). Two runs
// have the same last digits only if each weight that the CPU computes is in the same layout in
// both.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace pshard::backend_test {

// Names of ggml's types, as "q8_0".
using TypeNames = std::set<std::string>;

// The types of weights that the CPU backend of a host keeps in layouts of its own. `folder` holds
// the host's libggml and its CPU backends, of which the best is asked. Nothing where none runs on
// this CPU.
std::optional<TypeNames> types_with_own_layout(const std::string& folder);

// The types of the tensors in the files of a model.
TypeNames types_in(const std::vector<std::string>& model_files);

bool have_common(const TypeNames& a, const TypeNames& b);

}  // namespace pshard::backend_test
