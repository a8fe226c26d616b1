// Replaces files as a whole, by one process at a time.
//
//   auto update = FileUpdate::begin(path);      waits for other writers of the same file
//   auto text = update.value().read(limit);     what is there now
//   update.value().commit(changed(text));       old or new content, never a mix
//
// The new content is written to "PATH.pshard-tmp" in the same directory, brought to disk and
// renamed to PATH. The temporary file is also the lock (flock): it exists only while somebody
// writes. The lock of a writer that was killed ends with the writer, and the next writer reuses the
// file that was left behind, if it belongs to the same user and has no other name. Any other file
// of that name loses it, and is never written to; one that we cannot open, and so not lock, or
// cannot take away, stays. After a second, in which its writer would have ended, the temporary file
// gets another name.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/result.h"

namespace pshard {

// A text file that is read piece by piece. A byte order mark of UTF-8 at its beginning is left out.
class FilePieces {
public:
    // nullopt if there is no file. Fails on anything but a regular file of at most `max_bytes`,
    // before a byte is read.
    static Result<std::optional<FilePieces>> open(const std::string& path, std::size_t max_bytes);

    // The bytes of the file when it was opened; 0 for those of /proc.
    [[nodiscard]] std::size_t size() const { return size_; }

    // Appends up to `bytes` of what follows; false at the end. Fails on UTF-16, and where the file
    // has grown beyond its limit.
    Result<bool> read(std::string& text, std::size_t bytes);

private:
    FilePieces(std::string path, Descriptor file, std::size_t size, std::size_t max_bytes)
        : path_(std::move(path)), file_(std::move(file)), size_(size), max_bytes_(max_bytes) {}

    [[nodiscard]] Error too_large() const;

    std::string path_;
    Descriptor file_;
    std::size_t size_;
    std::size_t max_bytes_;
    std::size_t done_ = 0;  // bytes that were read
};

// The content of the whole file, as FilePieces reads it; nullopt if there is none.
Result<std::optional<std::string>> read_file(const std::string& path, std::size_t max_bytes);

// The first 256 bytes of a file, which tell a file of ours from one that we must not overwrite.
// Empty if there is no file, if it is empty, or if it is no regular file (a pipe, a device).
std::string beginning_of(const std::string& path);

class FileUpdate {
public:
    // Waits up to `patience` for another writer. Follows a symbolic link at `path`: the link stays,
    // and its target is replaced. Fails if the directory or the present file cannot be written.
    static Result<FileUpdate> begin(const std::string& path,
                                    std::chrono::milliseconds patience = std::chrono::seconds(30));

    FileUpdate(FileUpdate&& other) noexcept = default;
    FileUpdate(const FileUpdate&) = delete;
    FileUpdate& operator=(const FileUpdate&) = delete;
    FileUpdate& operator=(FileUpdate&&) = delete;
    ~FileUpdate();  // without a commit, leaves the file as it is and removes the temporary file

    // The present content, which no other FileUpdate can change meanwhile.
    [[nodiscard]] Result<std::optional<std::string>> read(std::size_t max_bytes) const;

    // The path of the temporary file, for a program that must end without destructors.
    [[nodiscard]] const std::string& temporary_path() const { return temp_; }

    // Replaces the content and keeps the permissions of the old file. A failure changes nothing. To
    // be called once only.
    Status commit(std::string_view content);

    // The same in parts, for a large file: its beginning, with a hole behind it up to `size` bytes;
    // what lies in the hole; and the replacement.
    Status write(std::string_view content, std::uint64_t size = 0);
    Status write_at(std::uint64_t offset, std::string_view content);
    Status finish();

private:
    FileUpdate(std::string target, std::string temp, Descriptor file);

    std::string target_;  // behind symbolic links
    std::string temp_;
    Descriptor fd_;  // the open and locked temp_
};

}  // namespace pshard
