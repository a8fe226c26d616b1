#include "base/border.h"

#include <stdexcept>
#include <string>

#include "base/worker.h"
#include "support/testing.h"

namespace pshard {
namespace {

std::string& told() {
    static std::string told;
    return told;
}

struct Here {
    static void tell(const char* what) noexcept { told() = what; }

    template <typename Out>
    static Out refusal() {
        return Out(-1);
    }
};

int half(int number) {
    if (number < 0) throw std::runtime_error("negative");
    if (number % 2 != 0) throw number;
    return number / 2;
}

void never(std::string& text) {
    text += "x";
    throw std::runtime_error("never");
}

TEST(Border, PassesOnWhatTheFunctionReturns) { EXPECT_EQ((Border<half, Here>::call(6)), 3); }

TEST(Border, TellsWhatWasThrownAndReturnsTheRefusal) {
    EXPECT_EQ((Border<half, Here>::call(-2)), -1);
    EXPECT_EQ(told(), "negative");
    EXPECT_EQ((Border<half, Here>::call(3)), -1);
    EXPECT_EQ(told(), "something that is no std::exception was thrown");
}

TEST(Border, IsThereForFunctionsThatReturnNothing) {
    std::string text;
    Border<never, Here>::call(text);
    EXPECT_EQ(text, "x");
    EXPECT_EQ(told(), "never");
    static_assert(noexcept(Border<never, Here>::call(text)));
}

// What a job throws ended the process of the host before.
TEST(Worker, HandsWhatAJobThrowsToAllWhoWait) {
    Worker worker;
    const Worker::Ticket ticket = worker.post([] { throw std::runtime_error("no memory"); });
    Worker watcher;  // one who waits in a thread of its own does not take it from another
    watcher.post([&] { worker.wait_for(ticket); });
    EXPECT_THROW(watcher.drain(), std::runtime_error);
    EXPECT_THROW(worker.wait_for(ticket), std::runtime_error);
    EXPECT_THROW(worker.drain(), std::runtime_error);
    worker.forget_thrown();
    int done = 0;
    worker.wait_for(worker.post([&] { ++done; }));
    EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace pshard
