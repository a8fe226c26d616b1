// Files that are replaced as a whole, by one process at a time.
//
//   auto update = FileUpdate::begin(path);      waits for other writers of the same file
//   auto text = update.value().read(limit);     what is there now
//   update.value().commit(changed(text));       old or new content, never a mix
//
// The new content is written to "PATH.pshard-tmp" in the same directory, brought to disk and
// renamed. That file is also the lock (flock): it exists only while somebody writes, a killed
// writer's lock ends with it, and the next writer reuses what it left behind.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pshard {

// The whole file; nullopt if there is none. Fails on anything but a regular file of at most
// `max_bytes`.
Result<std::optional<std::string>> read_file(const std::string& path, std::size_t max_bytes);

// The first 256 bytes, to tell a file of ours from one that nobody may write over. Empty: none is
// there, or it holds nothing, as a pipe or a device does.
std::string beginning_of(const std::string& path);

class FileUpdate {
public:
    // Waits up to `patience` for another writer. A symbolic link at `path` is followed: the link
    // stays, its target is replaced. Fails if the directory or the present file cannot be written.
    static Result<FileUpdate> begin(const std::string& path,
                                    std::chrono::milliseconds patience = std::chrono::seconds(30));

    FileUpdate(FileUpdate&& other) noexcept;
    FileUpdate(const FileUpdate&) = delete;
    FileUpdate& operator=(const FileUpdate&) = delete;
    FileUpdate& operator=(FileUpdate&&) = delete;
    ~FileUpdate();  // without commit: the file stays as it is, the temporary file goes

    // The present content, which no other FileUpdate can change meanwhile.
    [[nodiscard]] Result<std::optional<std::string>> read(std::size_t max_bytes) const;

    // Of the temporary file, for who must leave without a destructor.
    [[nodiscard]] const std::string& temporary_path() const { return temp_; }

    // Replaces the content and keeps the permissions of the old file. On failure nothing changes.
    // Once only.
    Status commit(std::string_view content);

private:
    FileUpdate(std::string target, int fd);

    std::string target_;  // behind symbolic links
    std::string temp_;
    int fd_ = -1;  // of temp_, locked
};

}  // namespace pshard
