// A vision projector (--mmproj) and a picture for it.
#pragma once

#include <string>

namespace pshard::backend_test {

// Writes a random projector of Gemma 3's kind for the tiny model of an architecture: two layers 64
// wide, and 64 patches that become 4 tokens.
void write_random_projector(const std::string& path, const std::string& arch);

// A picture file in base64, of 8 x 8 pixels; each `seed` another one.
std::string picture(unsigned seed);

}  // namespace pshard::backend_test
