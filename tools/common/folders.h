// Where this program and what belongs to it lie: in a build, or installed.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace pshard::tool {

std::filesystem::path program_folder();

// The folder of the libraries of an installed pshard, beside its programs; not there in a build.
std::filesystem::path library_folder();

// The folder of libggml-cpu.so: installed beside this program, else in llama.cpp's build; empty:
// where ggml looks itself.
std::string ggml_folder();

// The folder of the profiles that were measured here (machine/profile_search.h); empty: there is
// none, as neither XDG_CACHE_HOME nor HOME is set.
std::string profile_cache_folder();

// Makes a path absolute, so that a printed command runs in any folder; an empty one stays. Fails
// where the working folder was removed.
Status make_absolute(std::string& path);

}  // namespace pshard::tool
