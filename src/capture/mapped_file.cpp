#include "capture/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pshard {
namespace {

Result<MappedFile> map_open_file(int file, const std::string& path) {
    struct stat info = {};
    if (fstat(file, &info) != 0) return Error{std::strerror(errno), {path}};
    if (S_ISDIR(info.st_mode)) return Error{"is a directory; give the .gguf file in it", {path}};
    if (!S_ISREG(info.st_mode)) return Error{"is no regular file; give a .gguf file", {path}};
    if (info.st_size == 0) return Error{"is empty; download it again", {path}};
    const auto size = static_cast<std::size_t>(info.st_size);
    void* base = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (base == MAP_FAILED) {
        return Error{fmt::format("cannot be mapped: {}", std::strerror(errno)), {path}};
    }
    const auto unmap = [size](const void* mapped) { munmap(const_cast<void*>(mapped), size); };
    std::shared_ptr<const void> mapping(base, unmap);
    return MappedFile{std::move(mapping), {static_cast<const char*>(base), size}};
}

}  // namespace

Result<MappedFile> map_file(const std::string& path) {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return Error{fmt::format("cannot be opened: {}", std::strerror(errno)), {path}};
    Result<MappedFile> mapped = map_open_file(file, path);
    close(file);
    return mapped;
}

}  // namespace pshard
