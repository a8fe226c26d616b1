// A file mapped for reading.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pshard {

struct MappedFile {
    std::shared_ptr<const void> mapping;  // keeps `bytes` valid
    std::string_view bytes;
};

// Fails if the file is missing, unreadable, no regular file, or empty.
Result<MappedFile> map_file(const std::string& path);

}  // namespace pshard
