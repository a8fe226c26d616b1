#include "base/atomic_file.h"

#include <csignal>
#include <random>
#include <thread>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temp_folder.h"
#include "support/testing.h"

namespace pshard::test {

// Called once, just before the next flock.
std::function<void()> before_flock;

}  // namespace pshard::test

// Takes the place of libc's, to let another writer act between our open and our lock.
extern "C" int flock(int fd, int operation) noexcept {
    if (auto act = std::exchange(pshard::test::before_flock, nullptr)) act();
    return int(::syscall(SYS_flock, fd, operation));
}

namespace pshard {
namespace {

using std::chrono::milliseconds;
using test::put_text;
using test::TempFolder;
using test::text_in;
using Names = std::vector<std::string>;

Status replaced(const std::string& path,
                std::string_view content,
                milliseconds patience = std::chrono::seconds(30)) {
    Result<FileUpdate> update = FileUpdate::begin(path, patience);
    if (!update.ok()) return update.error();
    return update.value().commit(content);
}

// Runs `work` in a child process; its id. The child ends with 0 if `work` says true.
pid_t in_child(const std::function<bool()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work() ? 0 : 1);
    return child;
}

int exit_status(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

mode_t mode_of(const std::string& path) {
    struct stat status = {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 07777U;
}

TEST(ReadFile, TellsAbsentFromUnreadable) {
    const TempFolder folder;
    const auto absent = test::value_of(read_file(folder.file("a"), 10));
    EXPECT_EQ(absent, std::nullopt);
    EXPECT_FALSE(read_file(folder.file(""), 10).ok());
    put_text(folder.file("a"), "0123456789");
    EXPECT_FALSE(read_file(folder.file("a/b"), 10).ok());
    EXPECT_EQ(read_file(folder.file("a"), 10).value(), "0123456789");
    EXPECT_EQ(read_file(folder.file("a"), 9).error().text(),
              folder.file("a") + ": this file is larger than 9 bytes");
    EXPECT_EQ(read_file("/dev/zero", 9).error().text(), "/dev/zero: this is not a file");
}

// 4 GB of zeros took as much memory before they were found too large.
TEST(ReadFile, LooksAtTheSizeFirst) {
    const TempFolder folder;
    put_text(folder.file("a"), "");
    ASSERT_EQ(::truncate(folder.file("a").c_str(), off_t{1} << 40U), 0);
    EXPECT_EQ(read_file(folder.file("a"), 1 << 20).error().text(),
              folder.file("a") + ": this file is larger than 1048576 bytes");
}

TEST(ReadFile, ReadsFilesThatTellNoSize) {
    EXPECT_GT(test::value_of(read_file("/proc/self/status", 1 << 20)).value_or("").size(), 100U);
}

TEST(ReadFile, LeavesTheByteOrderMarkOut) {
    const TempFolder folder;
    put_text(folder.file("a"), "\xef\xbb\xbf# a\xef\xbb\xbf");
    EXPECT_EQ(read_file(folder.file("a"), 10).value(), "# a\xef\xbb\xbf");
    EXPECT_EQ(beginning_of(folder.file("a")), "# a\xef\xbb\xbf");
    for (const std::string mark : {"\xff\xfe", "\xfe\xff"}) {
        put_text(folder.file("a"), mark + "#");
        EXPECT_EQ(read_file(folder.file("a"), 10).error().text(),
                  folder.file("a") + ": this text is UTF-16; save it as UTF-8");
    }
}

TEST(FilePieces, AreTheFile) {
    const TempFolder folder;
    put_text(folder.file("a"),
             "\xef\xbb\xbf"
             "0123456");
    FilePieces file = *test::value_of(FilePieces::open(folder.file("a"), 10));
    EXPECT_EQ(file.size(), 10U);
    std::string text = "-";
    EXPECT_TRUE(file.read(text, 5).value());
    EXPECT_EQ(text, "-01");
    EXPECT_TRUE(file.read(text, 99).value());
    EXPECT_EQ(text, "-0123456");
    EXPECT_FALSE(file.read(text, 99).value());
}

// It was opened within its limit.
TEST(FilePieces, EndAtTheLimitOfAFileThatGrows) {
    const TempFolder folder;
    put_text(folder.file("a"), "0123");
    FilePieces file = *test::value_of(FilePieces::open(folder.file("a"), 4));
    put_text(folder.file("a"), "01234");
    std::string text;
    EXPECT_EQ(file.read(text, 99).error().text(),
              folder.file("a") + ": this file is larger than 4 bytes");
}

TEST(BeginningOf, IsWhatAFileOfOursIsKnownBy) {
    const TempFolder folder;
    EXPECT_EQ(beginning_of(folder.file("absent")), "");
    put_text(folder.file("empty"), "");
    EXPECT_EQ(beginning_of(folder.file("empty")), "");
    put_text(folder.file("ours"), "{\"mark\"}");
    EXPECT_EQ(beginning_of(folder.file("ours")), "{\"mark\"}");
    put_text(folder.file("other"), std::string(256, ' ') + "mark");
    EXPECT_EQ(beginning_of(folder.file("other")), std::string(256, ' '));
    EXPECT_EQ(beginning_of("/dev/null"), "");
}

TEST(FileUpdate, ReplacesTheWholeFile) {
    const TempFolder folder;
    ASSERT_TRUE(replaced(folder.file("a"), "first, longer").ok());
    EXPECT_EQ(text_in(folder.file("a")), "first, longer");
    ASSERT_TRUE(replaced(folder.file("a"), "second").ok());
    EXPECT_EQ(text_in(folder.file("a")), "second");
    EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(FileUpdate, WithoutCommitChangesNothing) {
    const TempFolder folder;
    put_text(folder.file("a"), "old");
    {
        const auto update = test::value_of(FileUpdate::begin(folder.file("a")));
        EXPECT_EQ(folder.names(), (Names{"a", "a.pshard-tmp"}));
        EXPECT_EQ(update.read(10).value(), "old");
    }
    EXPECT_EQ(text_in(folder.file("a")), "old");
    EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(FileUpdate, ReusesWhatAKilledWriterLeft) {
    const TempFolder folder;
    put_text(folder.file("a.pshard-tmp"), "much longer than what comes now");
    ASSERT_TRUE(replaced(folder.file("a"), "new").ok());
    EXPECT_EQ(text_in(folder.file("a")), "new");
    EXPECT_EQ(folder.names(), Names{"a"});
}

// Somebody has prepared the temporary file: a second name of a file of the user's.
TEST(FileUpdate, WritesToNoFileOfAnotherName) {
    const TempFolder folder;
    put_text(folder.file("b"), "precious");
    std::filesystem::create_hard_link(folder.file("b"), folder.file("a.pshard-tmp"));
    ASSERT_TRUE(replaced(folder.file("a"), "new").ok());
    EXPECT_EQ(text_in(folder.file("a")), "new");
    EXPECT_EQ(text_in(folder.file("b")), "precious");
    EXPECT_EQ(folder.names(), (Names{"a", "b"}));
}

uid_t owner_of(const std::string& path) {
    struct stat status = {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_uid : uid_t(-1);
}

// A stranger's file must not become the user's registry. One that the user cannot read or take away
// may be that of a writer at work, and stays: the user's own has another name.
TEST(FileUpdate, WritesToNoFileOfAnotherUser) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    const TempFolder folder;
    const std::string temp = folder.file("a.pshard-tmp");
    const auto with_mode = [&](mode_t mode, mode_t of_folder) {
        put_text(temp, "a stranger's");
        ::chmod(temp.c_str(), mode);
        ::chmod(folder.file("").c_str(), of_folder);
        std::filesystem::remove(folder.file("a"));
        return in_child([&] {
            if (::setuid(kNobody) != 0) return false;
            return replaced(folder.file("a"), "new", milliseconds(20)).ok();
        });
    };
    for (const mode_t mode : {0666U, 0644U}) {
        EXPECT_EQ(exit_status(with_mode(mode, 0777)), 0) << mode;
        EXPECT_EQ(owner_of(folder.file("a")), kNobody) << mode;
        EXPECT_EQ(folder.names(), Names{"a"}) << mode;
    }
    for (const auto& [mode, of_folder] : {std::pair{0600U, 0777U}, {0644U, 01777U}}) {
        EXPECT_EQ(exit_status(with_mode(mode, of_folder)), 0) << mode;
        EXPECT_EQ(text_in(temp), "a stranger's");
        EXPECT_EQ(text_in(folder.file("a")), "new");
        EXPECT_EQ(owner_of(folder.file("a")), kNobody) << mode;
        EXPECT_EQ(folder.names(), (Names{"a", "a.pshard-tmp"}));
    }
    put_text(folder.file("b.pshard-tmp"), "of a user that we serve");
    ASSERT_EQ(::chown(folder.file("b.pshard-tmp").c_str(), kNobody, kNobody), 0);
    ASSERT_TRUE(replaced(folder.file("b"), "new").ok());
    EXPECT_EQ(owner_of(folder.file("b")), 0U);
}

// Two users who share a folder wait for each other.
TEST(FileUpdate, WaitsForAWriterOfAnotherUser) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    const TempFolder folder;
    ::chmod(folder.file("").c_str(), 0777);
    FileUpdate first = test::value_of(FileUpdate::begin(folder.file("a")));
    const pid_t child = in_child([&] {
        if (::setuid(65534) != 0) return false;
        const auto second = FileUpdate::begin(folder.file("a"), milliseconds(20));
        return !second.ok() && second.error().message.starts_with("another process has been");
    });
    EXPECT_EQ(exit_status(child), 0);
    EXPECT_TRUE(first.commit("first").ok());
    EXPECT_EQ(text_in(folder.file("a")), "first");
}

TEST(FileUpdate, LeavesTheTemporaryFilesOfOthersAlone) {
    const TempFolder folder;
    put_text(folder.file("a.tmp"), "an editor's");
    ASSERT_TRUE(replaced(folder.file("a"), "new").ok());
    EXPECT_EQ(text_in(folder.file("a.tmp")), "an editor's");
}

TEST(FileUpdate, KeepsPermissions) {
    const TempFolder folder;
    put_text(folder.file("a"), "old");
    for (const mode_t mode : {0600U, 0644U, 0664U}) {
        ::chmod(folder.file("a").c_str(), mode);
        ASSERT_TRUE(replaced(folder.file("a"), "new").ok());
        EXPECT_EQ(mode_of(folder.file("a")), mode);
    }
}

TEST(FileUpdate, FollowsLinksAndKeepsThem) {
    namespace fs = std::filesystem;
    const TempFolder folder;
    fs::create_directory(folder.file("models"));
    put_text(folder.file("models/a"), "old");
    fs::create_symlink("models/a", folder.file("link"));
    fs::create_symlink(folder.file("link"), folder.file("link2"));
    fs::create_symlink("models/b", folder.file("dangling"));
    ASSERT_TRUE(replaced(folder.file("link2"), "new").ok());
    EXPECT_TRUE(fs::is_symlink(folder.file("link")));
    EXPECT_EQ(text_in(folder.file("models/a")), "new");
    ASSERT_TRUE(replaced(folder.file("dangling"), "b").ok());
    EXPECT_EQ(text_in(folder.file("models/b")), "b");
    fs::create_symlink("circle", folder.file("circle"));
    EXPECT_FALSE(replaced(folder.file("circle"), "c").ok());
}

TEST(FileUpdate, RefusesWhatItMustNotReplace) {
    const TempFolder folder;
    std::filesystem::create_directory(folder.file("d"));
    EXPECT_EQ(replaced(folder.file("d"), "x").error().text(),
              folder.file("d") + ": this is not a file; it stays as it is");
    EXPECT_EQ(replaced(folder.file("no/a"), "x").error().text(),
              folder.file("no/a.pshard-tmp") +
                  ": cannot create this temporary file: No such file or directory");
}

// What is no file, and cannot be another writer's, is left where it is. Whoever has put something
// at every name is told of the last.
TEST(FileUpdate, GoesRoundWhatIsInTheWay) {
    const TempFolder folder;
    const std::string temp = folder.file("a.pshard-tmp");
    std::filesystem::create_directory(temp);
    {
        const auto update = FileUpdate::begin(folder.file("a"), milliseconds(0));
        ASSERT_TRUE(update.ok());
        EXPECT_EQ(update.value().temporary_path(), fmt::format("{}-{}", temp, ::geteuid()));
        const auto second = FileUpdate::begin(folder.file("a"), milliseconds(0));
        EXPECT_THAT(second.error().message, HasSubstr("another process has been writing"));
    }
    ASSERT_TRUE(replaced(folder.file("a"), "new", milliseconds(0)).ok());
    EXPECT_EQ(folder.names(), (Names{"a", "a.pshard-tmp"}));
    for (int n = 1; n < 8; ++n) {
        std::filesystem::create_directory(
            fmt::format("{}-{}{}", temp, ::geteuid(), n == 1 ? "" : fmt::format("-{}", n)));
    }
    EXPECT_EQ(
        replaced(folder.file("a"), "newer", milliseconds(0)).error().text(),
        fmt::format(
            "{}-{}-7: this is in the way of a temporary file; move it away", temp, ::geteuid()));
    EXPECT_EQ(text_in(folder.file("a")), "new");
}

// A large file, of which the middle is a hole.
TEST(FileUpdate, WritesAFileInParts) {
    const TempFolder folder;
    put_text(folder.file("a"), "old");
    FileUpdate update = test::value_of(FileUpdate::begin(folder.file("a")));
    ASSERT_TRUE(update.write("head", 8).ok());
    ASSERT_TRUE(update.write_at(6, "xy").ok());
    EXPECT_EQ(text_in(folder.file("a")), "old");
    ASSERT_TRUE(update.finish().ok());
    EXPECT_EQ(text_in(folder.file("a")), std::string("head\0\0xy", 8));
    EXPECT_EQ(folder.names(), Names{"a"});
}

// A user who may not write the directory, and one who may not write the file. Root may do both, so
// the child becomes nobody first.
TEST(FileUpdate, RespectsWriteProtection) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    const TempFolder folder;
    std::filesystem::create_directory(folder.file("closed"));
    put_text(folder.file("closed/a"), "old");
    put_text(folder.file("b"), "old");
    ::chmod(folder.file("").c_str(), 0777);
    ::chmod(folder.file("closed/a").c_str(), 0666);
    const pid_t child = in_child([&] {
        if (::setuid(kNobody) != 0) return false;
        const Status closed = replaced(folder.file("closed/a"), "new");
        const Status locked = replaced(folder.file("b"), "new");
        return !closed.ok() && !locked.ok() &&
               closed.error().text() ==
                   folder.file("closed/a.pshard-tmp") +
                       ": cannot create this temporary file: Permission denied" &&
               locked.error().text() ==
                   folder.file("b") + ": cannot write this file: Permission denied";
    });
    EXPECT_EQ(exit_status(child), 0);
    EXPECT_EQ(text_in(folder.file("closed/a")) + text_in(folder.file("b")), "oldold");
    EXPECT_EQ(folder.names(), (Names{"b", "closed"}));
}

// A disk that is full after 1000 bytes, by way of a limit on the size of files.
TEST(FileUpdate, LeavesTheOldFileWhenTheDiskIsFull) {
    const TempFolder folder;
    put_text(folder.file("a"), "old");
    const pid_t child = in_child([&] {
        const rlimit limit = {1000, 1000};
        ::signal(SIGXFSZ, SIG_IGN);
        ::setrlimit(RLIMIT_FSIZE, &limit);
        const Status status = replaced(folder.file("a"), std::string(100000, 'x'));
        return !status.ok() &&
               status.error().text() == folder.file("a.pshard-tmp") +
                                            ": cannot write this temporary file: File too large";
    });
    EXPECT_EQ(exit_status(child), 0);
    EXPECT_EQ(text_in(folder.file("a")), "old");
    EXPECT_EQ(folder.names(), Names{"a"});
}

TEST(FileUpdate, WaitsForAnotherWriterButNotForEver) {
    const TempFolder folder;
    auto first = FileUpdate::begin(folder.file("a"));
    ASSERT_TRUE(first.ok());
    const auto second = FileUpdate::begin(folder.file("a"), milliseconds(20));
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message.find("another process has been writing this file for 0.02 s"),
              std::string::npos);
    std::thread waiting([&] { EXPECT_TRUE(replaced(folder.file("a"), "second").ok()); });
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_TRUE(first.value().commit("first").ok());
    waiting.join();
    EXPECT_EQ(text_in(folder.file("a")), "second");
    EXPECT_EQ(folder.names(), Names{"a"});
}

// The lock that we get may be on what is by now the file itself: it must not be written to.
TEST(FileUpdate, SeesThatAnotherWriterHasRenamedTheTemporaryFile) {
    const TempFolder folder;
    put_text(folder.file("a"), "old");
    test::before_flock = [&] {
        put_text(folder.file("a.pshard-tmp"), "theirs");
        std::filesystem::rename(folder.file("a.pshard-tmp"), folder.file("a"));
    };
    FileUpdate update = test::value_of(FileUpdate::begin(folder.file("a")));
    EXPECT_EQ(update.read(100).value(), "theirs");
    EXPECT_EQ(folder.names(), (Names{"a", "a.pshard-tmp"}));
    ASSERT_TRUE(update.commit("ours").ok());
    EXPECT_EQ(text_in(folder.file("a")), "ours");
}

// Somebody tidies up: the file stays as it is, and so does what another writer began meanwhile.
TEST(FileUpdate, FailsWhenTheTemporaryFileIsTakenAway) {
    const TempFolder folder;
    put_text(folder.file("a"), "old");
    {
        FileUpdate update = test::value_of(FileUpdate::begin(folder.file("a")));
        std::filesystem::rename(folder.file("a.pshard-tmp"), folder.file("b"));
        put_text(folder.file("a.pshard-tmp"), "theirs");
        EXPECT_EQ(update.commit("new").error().message,
                  "this temporary file was taken away while it was written");
    }
    EXPECT_EQ(text_in(folder.file("a")), "old");
    EXPECT_EQ(text_in(folder.file("a.pshard-tmp")), "theirs");
}

// Appends one letter to the file, `n` times.
bool append_letters(const std::string& path, char letter, int n) {
    for (int i = 0; i < n; ++i) {
        Result<FileUpdate> update = FileUpdate::begin(path);
        if (!update.ok()) return false;
        const auto text = update.value().read(1000000);
        if (!text.ok()) return false;
        if (!update.value().commit(text.value().value_or("") + letter).ok()) return false;
    }
    return true;
}

// Each of 4 processes adds its letter 50 times; a lost update would be a lost letter.
TEST(FileUpdate, LosesNoUpdateOfConcurrentProcesses) {
    constexpr int kTimes = 50;
    const TempFolder folder;
    std::vector<pid_t> children;
    for (const char letter : {'a', 'b', 'c', 'd'}) {
        children.push_back(
            in_child([&] { return append_letters(folder.file("f"), letter, kTimes); }));
    }
    for (const pid_t child : children) EXPECT_EQ(exit_status(child), 0);
    const std::string text = text_in(folder.file("f"));
    for (const char letter : {'a', 'b', 'c', 'd'}) {
        EXPECT_EQ(std::count(text.begin(), text.end(), letter), kTimes) << letter;
    }
    EXPECT_EQ(folder.names(), Names{"f"});
}

// A writer that alternates between two contents, killed at 200 random moments.
TEST(FileUpdate, LeavesOldOrNewContentWhenKilled) {
    const TempFolder folder;
    const std::string a(200000, 'a');
    const std::string b(100000, 'b');
    put_text(folder.file("f"), a);
    std::mt19937 random(7);
    for (int i = 0; i < 200; ++i) {
        const pid_t child = in_child([&] {
            while (replaced(folder.file("f"), a).ok() && replaced(folder.file("f"), b).ok()) {
            }
            return false;
        });
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 5000));
        ::kill(child, SIGKILL);
        EXPECT_EQ(exit_status(child), -1);
        const std::string text = text_in(folder.file("f"));
        ASSERT_TRUE(text == a || text == b) << text.size() << " bytes after kill " << i;
    }
    ASSERT_TRUE(replaced(folder.file("f"), "end").ok());
    EXPECT_EQ(folder.names(), Names{"f"});
}

}  // namespace
}  // namespace pshard
