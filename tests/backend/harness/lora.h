// A small random LoRA adapter for a model, made from the names and shapes in its file.
#pragma once

#include <filesystem>

#include "llama.h"

namespace pshard::backend_test {

// Rank 4, on every second attention query, attention output and FFN down projection. Owned by the
// model. nullptr: the model has none of these weights, or llama.cpp left their layers out.
llama_adapter_lora* add_random_lora(llama_model* model, const std::filesystem::path& model_file);

}  // namespace pshard::backend_test
