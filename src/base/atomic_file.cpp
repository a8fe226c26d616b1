// How a file is replaced as a whole, while other processes may want to replace it too.
//
// In:   a path, and the new content.
// Out:  a file with the old or the new content, never a mix.
//
//     begin    follow links -> may we write it? -> open PATH.pshard-tmp -> flock -> still named so?
//                         what is in the way and no writer's: the next name, PATH.pshard-tmp-UID
//                         ...
//     commit   permissions -> write -> fsync -> still named so? -> rename to PATH -> sync directory
//     end      without a commit, remove PATH.pshard-tmp; then close it, which ends the lock
//
// Traps:
// * Between our open and our lock, the last writer may rename or remove the file that we opened. A
//   lock on it would then protect nothing, so begin asks whether the name still leads to it.
// * A rename replaces a file at once only within one file system, so the temporary file lies beside
//   its target: beside the file that a link leads to, not beside the link.
// * Something else may have the temporary file's name. A link is not followed, and a pipe or a
//   device is refused instead of waited for. A file that has a second name, or another owner, was
//   put there by somebody: what we wrote would be in that person's file, and the rename would give
//   us a file that is not ours. Its name is taken away, under its lock, and the file left alone.
//   What we cannot open, we cannot lock: another user may be writing it, so it keeps its name, and
//   is given the time that a writer needs. Then a file of the next name is ours. That name holds
//   our user, so that our own writers still wait for each other.
// * The new file gets the old one's permissions, but no set-user bits if it has another owner.
#include "base/atomic_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace pshard {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostNames = 8;  // of temporary files that may be in the way, one after the other

// Nobody else gives a file such an ending: FileUpdate empties and removes a file that has it.
std::string temporary_name(const std::string& target, int n) {
    if (n == 0) return target + ".pshard-tmp";
    const std::string own = fmt::format("{}.pshard-tmp-{}", target, ::geteuid());
    return n == 1 ? own : fmt::format("{}-{}", own, n);
}

// "cannot WHAT: No such file or directory", from errno.
Error system_error(const std::string& what, const std::string& path) {
    return {fmt::format("cannot {}: {}", what, std::strerror(errno)), {path}};
}

// The path that `path` leads to through symbolic links; a dangling link leads to the file that it
// names.
Result<std::string> target_of(const std::string& path) {
    constexpr int kMaxLinks = 40;  // Linux follows as many
    std::filesystem::path target = path;
    std::error_code error;
    for (int i = 0; i < kMaxLinks; ++i) {
        if (!std::filesystem::is_symlink(target, error)) return target.string();
        const std::filesystem::path link = std::filesystem::read_symlink(target, error);
        if (error)
            return Error{fmt::format("cannot follow this link: {}", error.message()), {path}};
        target = target.parent_path() / link;
    }
    return Error{"these symbolic links lead in a circle", {path}};
}

// Fails on a path that holds something else than a regular file, or a file that we may not write.
Status check_replaceable(const std::string& path) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return Done{};
        return system_error("look at this file", path);
    }
    if (!S_ISREG(status.st_mode)) return Error{"this is not a file; it stays as it is", {path}};
    if (::access(path.c_str(), W_OK) != 0) return system_error("write this file", path);
    return Done{};
}

bool is_same_file(int fd, const std::string& path) {
    struct stat open_file = {};
    struct stat named_file = {};
    return ::fstat(fd, &open_file) == 0 && ::lstat(path.c_str(), &named_file) == 0 &&
           open_file.st_dev == named_file.st_dev && open_file.st_ino == named_file.st_ino;
}

constexpr int kOpenFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

// What became of a name for the temporary file.
enum class Name {
    Locked,    // the file is open, and ours to write
    Busy,      // another writer's, or to be tried again
    MayBeBusy  // in the way, perhaps another user's at work: not to be opened or taken away
};

struct Attempt {
    Name name = Name::Busy;
    Descriptor file{};
};

// Takes a name out of the way, under its lock, that is not of a file of ours. A file that others
// know by another name stays under that one.
Attempt make_way(const std::string& temp) {
    const bool gone = ::unlink(temp.c_str()) == 0 || errno == ENOENT;
    return {gone ? Name::Busy : Name::MayBeBusy};
}

// Locks an open temporary file; it is busy while another writer holds it, or if the name has come
// to lead to another one: the last writer may have renamed or removed it between our open and lock.
Result<Attempt> locked(Descriptor file, const std::string& temp) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK || errno == EINTR) return Attempt{};
        return system_error("lock this temporary file", temp);
    }
    if (!is_same_file(file.get(), temp)) return Attempt{};
    return Attempt{Name::Locked, std::move(file)};
}

// Opens and locks what has the temporary file's name already. Without the lock it is another
// writer's; with it, what a killed writer of ours has left, which is used, or else somebody's file,
// which is not written to.
Result<Attempt> try_lock_present(const std::string& temp) {
    Descriptor file(::open(temp.c_str(), O_RDWR | kOpenFlags));
    if (file.get() < 0 && errno == EACCES) file = Descriptor(::open(temp.c_str(), kOpenFlags));
    if (file.get() < 0 && errno == ENOENT) return Attempt{};
    struct stat status = {};
    const bool is_file = file.get() >= 0 && ::fstat(file.get(), &status) == 0;
    if (!is_file || !S_ISREG(status.st_mode)) return Attempt{Name::MayBeBusy};
    Result<Attempt> lock = locked(std::move(file), temp);
    const bool ours = status.st_nlink == 1 && status.st_uid == ::geteuid();
    if (!lock || lock.value().name != Name::Locked || ours) return lock;
    return make_way(temp);
}

// Opens and locks the temporary file of that name.
Result<Attempt> try_lock(const std::string& temp) {
    Descriptor fresh(::open(temp.c_str(), O_RDWR | O_CREAT | O_EXCL | kOpenFlags, 0666));
    if (fresh.get() >= 0) return locked(std::move(fresh), temp);
    if (errno == EEXIST) return try_lock_present(temp);
    return system_error("create this temporary file", temp);
}

// Gives the temporary file the owner of the old file, if we are allowed to, and its permissions.
Status copy_permissions(const std::string& from, int fd, const std::string& temp) {
    struct stat old_file = {};
    if (::stat(from.c_str(), &old_file) != 0) return Done{};
    const bool owner_kept = ::fchown(fd, old_file.st_uid, old_file.st_gid) == 0;
    const mode_t mode = old_file.st_mode & (owner_kept ? 07777U : 0777U);
    if (::fchmod(fd, mode) != 0) return system_error("set the permissions of this file", temp);
    return Done{};
}

Status write_whole(int fd, std::string_view content, const std::string& temp) {
    if (::ftruncate(fd, 0) != 0) return system_error("empty this temporary file", temp);
    if (!write_all(fd, content)) return system_error("write this temporary file", temp);
    return Done{};
}

// Makes a rename survive a power failure. A failure here is no error: the content is in place, and
// not every file system can do this for a directory.
void sync_directory_of(const std::string& path) {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    const std::string name = parent.empty() ? "." : parent.string();
    const Descriptor directory(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() >= 0) ::fsync(directory.get());
}

// Takes the byte order mark off that editors put before UTF-8.
void drop_mark(std::string& text, std::size_t at) {
    constexpr std::string_view kMark = "\xef\xbb\xbf";
    if (std::string_view(text).substr(at).starts_with(kMark)) text.erase(at, kMark.size());
}

bool is_utf16(std::string_view text) {
    return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
}

}  // namespace

Result<std::optional<FilePieces>> FilePieces::open(const std::string& path, std::size_t max_bytes) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0 && errno == ENOENT) return std::optional<FilePieces>();
    if (file.get() < 0) return system_error("open this file", path);
    struct stat status = {};
    if (::fstat(file.get(), &status) != 0) return system_error("look at this file", path);
    if (!S_ISREG(status.st_mode)) return Error{"this is not a file", {path}};
    FilePieces pieces(path, std::move(file), static_cast<std::size_t>(status.st_size), max_bytes);
    if (pieces.size_ > max_bytes) return pieces.too_large();
    return std::optional(std::move(pieces));
}

Error FilePieces::too_large() const {
    return {fmt::format("this file is larger than {} bytes", max_bytes_), {path_}};
}

Result<bool> FilePieces::read(std::string& text, std::size_t bytes) {
    const std::size_t before = text.size();
    text.resize(before + bytes);
    ssize_t n = -1;
    do {
        n = ::read(file_.get(), text.data() + before, bytes);
    } while (n < 0 && errno == EINTR);
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0) return system_error("read this file", path_);
    const bool first = done_ == 0;
    done_ += static_cast<std::size_t>(n);
    if (done_ > max_bytes_) return too_large();
    if (first && is_utf16(std::string_view(text).substr(before))) {
        return Error{"this text is UTF-16; save it as UTF-8", {path_}};
    }
    if (first) drop_mark(text, before);
    return n > 0;
}

Result<std::optional<std::string>> read_file(const std::string& path, std::size_t max_bytes) {
    constexpr std::size_t kLeast = std::size_t{1} << 12U;  // files of /proc tell no size
    Result<std::optional<FilePieces>> opened = FilePieces::open(path, max_bytes);
    if (!opened.ok()) return opened.error();
    if (!opened.value()) return std::optional<std::string>();
    FilePieces file = *std::move(opened).value();
    const std::size_t piece = std::max(file.size() + 1, kLeast);
    std::string text;
    text.reserve(piece + kLeast);
    for (;;) {
        const Result<bool> more = file.read(text, text.empty() ? piece : kLeast);
        if (!more.ok()) return more.error();
        if (!more.value()) return std::optional(std::move(text));
    }
}

std::string beginning_of(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return "";
    std::ifstream file(path, std::ios::binary);
    std::string start(256, '\0');
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    start.resize(static_cast<std::size_t>(file.gcount()));
    drop_mark(start, 0);
    return start;
}

Result<FileUpdate> FileUpdate::begin(const std::string& path, std::chrono::milliseconds patience) {
    constexpr auto kPause = std::chrono::milliseconds(2);
    constexpr auto kWriting = std::chrono::milliseconds(1000);  // a writer is done by then
    const Result<std::string> target = target_of(path);
    if (!target.ok()) return target.error();
    const Status replaceable = check_replaceable(target.value());
    if (!replaceable.ok()) return replaceable.error();
    const Clock::time_point begin = Clock::now();
    int n = 0;
    while (true) {
        const std::string temp = temporary_name(target.value(), n);
        Result<Attempt> attempt = try_lock(temp);
        if (!attempt.ok()) return attempt.error();
        auto& [name, file] = attempt.value();
        if (name == Name::Locked) return FileUpdate(target.value(), temp, std::move(file));
        const auto waited = Clock::now() - begin;
        if (name == Name::MayBeBusy && waited >= std::min(patience, kWriting)) {
            if (++n < kMostNames) continue;
            return Error{"this is in the way of a temporary file; move it away", {temp}};
        }
        if (waited >= patience) break;
        std::this_thread::sleep_for(kPause);
    }
    return Error{fmt::format("another process has been writing this file for {} s; try again when "
                             "it has ended",
                             static_cast<double>(patience.count()) / 1000),
                 {path}};
}

FileUpdate::FileUpdate(std::string target, std::string temp, Descriptor file)
    : target_(std::move(target)), temp_(std::move(temp)), fd_(std::move(file)) {}

FileUpdate::~FileUpdate() {
    // The file is removed before its lock ends, and only if it is still ours: the next writer may
    // create one of the same name at once.
    if (fd_.get() >= 0 && is_same_file(fd_.get(), temp_)) ::unlink(temp_.c_str());
}

Result<std::optional<std::string>> FileUpdate::read(std::size_t max_bytes) const {
    return read_file(target_, max_bytes);
}

Status FileUpdate::write(std::string_view content, std::uint64_t size) {
    PSHARD_CHECK(fd_.get() >= 0);
    Status status = copy_permissions(target_, fd_.get(), temp_);
    if (status.ok()) status = write_whole(fd_.get(), content, temp_);
    if (!status.ok() || size <= content.size()) return status;
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0) return Done{};
    return system_error("make this temporary file as large as it will be", temp_);
}

Status FileUpdate::write_at(std::uint64_t offset, std::string_view content) {
    PSHARD_CHECK(fd_.get() >= 0);
    if (::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_SET) >= 0 &&
        write_all(fd_.get(), content)) {
        return Done{};
    }
    return system_error("write this temporary file", temp_);
}

Status FileUpdate::finish() {
    PSHARD_CHECK(fd_.get() >= 0);
    if (::fsync(fd_.get()) != 0) return system_error("bring this temporary file to disk", temp_);
    if (!is_same_file(fd_.get(), temp_)) {
        return Error{"this temporary file was taken away while it was written", {temp_}};
    }
    if (::rename(temp_.c_str(), target_.c_str()) != 0)
        return system_error("replace this file", target_);
    sync_directory_of(target_);
    fd_ = Descriptor();
    return Done{};
}

Status FileUpdate::commit(std::string_view content) {
    const Status written = write(content);
    return written.ok() ? finish() : written;
}

}  // namespace pshard
