// What llama.cpp complains of, in words of ours.
//
// Apart from log_capture.h, which needs llama.cpp: the plugin is linked to this module too, but not
// to llama.cpp, and a linker may take an object of an archive for the sake of a template that a
// shared library wants (mold does). A test sees that the plugin wants nothing of llama.cpp.
#pragma once

#include <string>

namespace pshard {

// What llama.cpp complains of, in a sentence. A failed assertion, which names a place in its code,
// becomes what does not hold of the model: "A.cpp:1: GGML_ASSERT(n_rot == n_embd_head) failed".
std::string in_plain_words(std::string complaint);

}  // namespace pshard
