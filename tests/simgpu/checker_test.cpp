#include "simgpu/checker.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

constexpr Range kAll{1000, 2000};
constexpr Range kFront{1000, 1500};
constexpr Range kBack{1500, 2000};

// A device with 1000 bytes and two queues.
class CheckerTest : public testing::Test {
protected:
    CheckerTest() {
        checker_.allocate(kAll);
        a_ = checker_.add_queue();
        b_ = checker_.add_queue();
    }

    std::vector<Fault> write(Actor actor, Range range = kAll, Memory memory = Memory::Device) {
        const Access access{range, true, memory, "x"};
        return checker_.run(actor, "write", {&access, 1});
    }

    std::vector<Fault> read(Actor actor, Range range = kAll, Memory memory = Memory::Device) {
        const Access access{range, false, memory, "x"};
        return checker_.run(actor, "read", {&access, 1});
    }

    void wait(Actor actor, Actor other) { checker_.wait(actor, checker_.record(other)); }

    Checker checker_;
    Actor a_ = 0;
    Actor b_ = 0;
};

void expect_one(const std::vector<Fault>& faults, FaultKind kind) {
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].kind, kind) << faults[0].text();
}

TEST_F(CheckerTest, OneQueueIsInOrder) {
    EXPECT_TRUE(write(a_).empty());
    EXPECT_TRUE(read(a_).empty());
    EXPECT_TRUE(write(a_).empty());
}

TEST_F(CheckerTest, WhatTheHostDidIsThroughForAllQueues) {
    EXPECT_TRUE(write(kHost).empty());
    EXPECT_TRUE(read(kHost).empty());
    EXPECT_TRUE(read(a_).empty());
    EXPECT_TRUE(read(b_).empty());
}

TEST_F(CheckerTest, BytesMustBeWrittenBeforeTheyAreRead) {
    expect_one(read(a_), FaultKind::NeverWritten);
    write(a_, kFront);
    EXPECT_TRUE(read(a_, kFront).empty());
    const std::vector<Fault> faults = read(a_);
    expect_one(faults, FaultKind::NeverWritten);
    EXPECT_EQ(faults[0].range.begin, kBack.begin);
    EXPECT_EQ(faults[0].range.end, kBack.end);
}

TEST_F(CheckerTest, AnotherQueueMustWaitForTheWrite) {
    write(a_);
    expect_one(read(b_), FaultKind::ReadTooEarly);
    wait(b_, a_);
    EXPECT_TRUE(read(b_).empty());
}

TEST_F(CheckerTest, TheHostMustWaitForTheWrite) {
    write(a_);
    expect_one(read(kHost), FaultKind::ReadTooEarly);
    wait(kHost, a_);
    EXPECT_TRUE(read(kHost).empty());
    EXPECT_TRUE(read(b_).empty());  // issued by a host that knows
}

TEST_F(CheckerTest, AWriteMustWaitForTheWriteBefore) {
    write(a_);
    expect_one(write(b_), FaultKind::OverwritesWrite);
    wait(a_, b_);
    EXPECT_TRUE(write(a_).empty());
}

TEST_F(CheckerTest, AWriteMustWaitForAllReads) {
    write(kHost);
    read(a_);
    read(b_);
    wait(a_, b_);
    EXPECT_TRUE(write(a_).empty());
    wait(b_, a_);
    read(b_);
    expect_one(write(a_), FaultKind::OverwritesRead);
    wait(kHost, a_);  // not b
    read(b_);
    expect_one(write(kHost), FaultKind::OverwritesRead);
}

TEST_F(CheckerTest, ARecordCoversWhatWasIssuedBeforeItOnly) {
    const VectorClock early = checker_.record(a_);
    write(a_);
    checker_.wait(b_, early);
    expect_one(read(b_), FaultKind::ReadTooEarly);
}

TEST_F(CheckerTest, WaitsAreTransitive) {
    const Actor c = checker_.add_queue();
    write(a_);
    wait(b_, a_);
    wait(c, b_);
    EXPECT_TRUE(read(c).empty());
}

TEST_F(CheckerTest, PartsAreApart) {
    write(a_, kFront);
    EXPECT_TRUE(write(b_, kBack).empty());
    EXPECT_TRUE(read(b_, kBack).empty());
    expect_one(read(b_), FaultKind::ReadTooEarly);
}

TEST_F(CheckerTest, MemoryMustBeTheDevices) {
    expect_one(write(a_, {900, 1100}), FaultKind::NotDeviceMemory);
    expect_one(write(a_, {5000, 5001}), FaultKind::NotDeviceMemory);
    checker_.release(kAll);
    expect_one(write(a_), FaultKind::NotDeviceMemory);
}

TEST_F(CheckerTest, FreedMemoryForgets) {
    write(a_);
    checker_.release(kAll);
    checker_.allocate(kAll);
    EXPECT_TRUE(write(b_, kFront).empty());
    expect_one(read(b_, kBack), FaultKind::NeverWritten);
}

TEST_F(CheckerTest, AnOperationMayReadWhatItWrites) {
    write(kHost);
    const Access accesses[] = {{kAll, false}, {kAll, true}};
    EXPECT_TRUE(checker_.run(a_, "in place", accesses).empty());
    EXPECT_TRUE(checker_.run(a_, "in place", accesses).empty());
    expect_one(read(b_), FaultKind::ReadTooEarly);
}

TEST_F(CheckerTest, HostMemoryIsOrderedButNeedsNoWrite) {
    EXPECT_TRUE(read(a_, kAll, Memory::Host).empty());
    expect_one(write(b_, kAll, Memory::Host), FaultKind::OverwritesRead);
    expect_one(read(a_, kAll, Memory::Host), FaultKind::ReadTooEarly);
}

TEST_F(CheckerTest, PartialReadsNeedOrderOnly) {
    write(a_, kFront);
    Access access{kAll};
    access.needs_all = false;
    EXPECT_TRUE(checker_.run(a_, "by index", {&access, 1}).empty());
    expect_one(checker_.run(b_, "by index", {&access, 1}), FaultKind::ReadTooEarly);
    ASSERT_EQ(checker_.never_written(kAll).size(), 1u);
    EXPECT_EQ(checker_.never_written(kAll)[0].begin, kBack.begin);
}

TEST_F(CheckerTest, AWriteThatMayRaceIsTheNewStateNevertheless) {
    write(a_);
    Access access{kAll, true};
    access.may_race = true;
    EXPECT_TRUE(checker_.run(kHost, "clear", {&access, 1}).empty());
    EXPECT_TRUE(read(b_).empty());
}

TEST_F(CheckerTest, AFaultIsSaidOnce) {
    write(a_);
    EXPECT_EQ(write(b_).size(), 1u);
    EXPECT_TRUE(read(b_).empty());
}

TEST_F(CheckerTest, AQueueThatIsGoneIsWaitedFor) {
    write(a_);
    checker_.drop_queue(a_);
    EXPECT_TRUE(read(b_).empty());
    EXPECT_EQ(checker_.add_queue(), a_);
    EXPECT_TRUE(write(a_).size() == 1);  // b reads
}

TEST_F(CheckerTest, SaysWhoAndWhat) {
    const Access write_access{kAll, true, Memory::Device, "w"};
    checker_.run(a_, "set_tensor_async w", {&write_access, 1});
    const Access read_access{kFront, false, Memory::Device, "w"};
    const std::vector<Fault> faults = checker_.run(b_, "MUL_MAT y", {&read_access, 1});
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].text(),
              "MUL_MAT y on queue 2 reads what may not have been written yet: 'w', bytes "
              "[0x3e8, 0x5dc); nothing orders it after set_tensor_async w on queue 1");
}

// 20000 reads of 3 of 4 bytes cut the memory to pieces; what is past must not pile up.
TEST_F(CheckerTest, ForgetsWhatIsPast) {
    constexpr std::uintptr_t kBegin = 100000;
    constexpr std::uintptr_t kReads = 20000;
    checker_.allocate({kBegin, kBegin + 4 * kReads});
    write(a_, {kBegin, kBegin + 4 * kReads});
    wait(b_, a_);
    for (std::uintptr_t i = 0; i < kReads; ++i) {
        const std::uintptr_t at = kBegin + 4 * i;
        EXPECT_TRUE(read(b_, {at, at + 3}).empty());
        if (i % 100 == 0) wait(kHost, b_);
    }
    EXPECT_LT(checker_.n_segments(), 1000u);
}

}  // namespace
}  // namespace pshard::simgpu
