// Plans are held against the memory that there is, on the device and on the host.
#include <regex>

#include "machine/identity.h"
#include "machine/profile_text.h"
#include "support/sanitizer.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

class MemoryThere : public ToolTest {
protected:
    ToolRun planned(const std::string& flags) const {
        std::vector<std::string> arguments = {"-m", model_, "-fa", "on", "--no-registry"};
        for (const std::string& word : words(flags)) arguments.push_back(word);
        return run(arguments);
    }

    // Writes profiles of a machine that is not this one and has so much RAM.
    void another_machine(std::optional<double> host_memory_mib) {
        const std::string folder = std::string(PSHARD_SOURCE_DIR) + "/profiles/reference/";
        MachineProfile profile =
            read_profile_files({folder + "cpu_profile.txt", folder + "gpu_profile.txt"}).value();
        profile.host_memory_mib = host_memory_mib;
        const ProfileTexts texts = to_text(profile);
        std::ofstream(folder_ / "cpu_profile.txt") << texts.cpu.value();
        std::ofstream(folder_ / "gpu_profile.txt") << texts.gpu.value();
        environment_.clear();
    }

    // The flags that a refusal names behind `mark`, up to the next comma or "there".
    static std::string remedy(const std::string& refusal, const std::string& mark) {
        std::smatch found;
        const std::regex form("(; with |, or with )(" + mark + "[^,]*?)(,| there)");
        EXPECT_TRUE(std::regex_search(refusal, found, form)) << refusal;
        return found[2];
    }
};

// The reference's driver takes 470 MiB: 12288 - 470 = 11818, 16302 - 470 = 15832.
TEST_F(MemoryThere, BudgetIsLoweredToWhatTheDriverLeaves) {
    const std::string told = planned("-c 4096 -mva 12000 --device-memory 12288").out;
    EXPECT_THAT(told,
                HasSubstr("note: the budget is lowered to 11818 MiB: -mva 12000 is more than the "
                          "11818 MiB that the driver leaves of 12288 MiB of device memory\n"));
    EXPECT_THAT(told, HasSubstr("budget: 11818.0 MiB"));
    EXPECT_THAT(planned("-c 4096 -mva 20000").out, HasSubstr("lowered to 15832 MiB"));
    EXPECT_THAT(planned("-c 4096 -mva 11818 --device-memory 12288").out, Not(HasSubstr("lowered")));
    const ToolRun none = planned("-c 4096 -mva 400 --device-memory 470");
    EXPECT_EQ(none.exit_code, 2);
    EXPECT_THAT(none.err, HasSubstr("no budget is left: -mva 400 is more than the 0 MiB"));
}

// Nobody has measured the driver's share: 470 MiB are taken for it, and 8192 - 470 = 7722.
TEST_F(MemoryThere, BudgetLeavesRoomForADriverThatNobodyMeasured) {
    environment_.clear();
    const ToolRun lowered = planned("-c 4096 -mva 11500 --device-memory 8192");
    EXPECT_THAT(lowered.out + lowered.err,
                HasSubstr("note: the budget is lowered to 7722 MiB: -mva 11500 is more than the "
                          "7722 MiB that the driver leaves of 8192 MiB of device memory (no GPU "
                          "profile tells its share, 470 are assumed: llama-profiler-gpu"));
    const ToolRun fits = planned("-c 4096 -mva 7722 --device-memory 8192");
    EXPECT_THAT(fits.out + fits.err, Not(HasSubstr("lowered")));
    const ToolRun rest = planned("-c 4096 --device-memory 2048");
    EXPECT_THAT(
        rest.out + rest.err,
        HasSubstr("2048 MiB of device memory, less 1024 to stay free, for the driver, too"));
}

// One sentence, and no table. Each remedy that it names makes a plan.
TEST_F(MemoryThere, RefusesWhatTheHostCannotHoldWithWhatHelps) {
    const std::string base = "-mva 900 --host-memory 4200";
    const ToolRun tool = planned(base + " -c 32768");
    EXPECT_EQ(tool.exit_code, 2);
    EXPECT_EQ(tool.out, "");
    const std::string refusal = tool.err.substr(tool.err.find("refused: "));
    EXPECT_EQ(std::count(refusal.begin(), refusal.end(), '\n'), 1) << refusal;
    EXPECT_THAT(refusal, HasSubstr("MiB of host memory are needed with -c 32768 (weights "));
    EXPECT_THAT(refusal, HasSubstr("and --host-memory is 4200; with "));
    for (const std::string& flags :
         {"-c 32768 " + remedy(refusal, "-ctk"), remedy(refusal, "-c ")}) {
        EXPECT_EQ(planned(base + " " + flags).exit_code, 0) << flags;
    }
    std::smatch more;
    ASSERT_TRUE(std::regex_search(refusal, more, std::regex("--host-memory [0-9]+ plans all")));
    const std::string flags = more.str().substr(0, more.str().find(" plans"));
    EXPECT_EQ(planned("-mva 900 -c 32768 " + flags).exit_code, 0) << flags;
}

TEST_F(MemoryThere, SaysWhereNoSmallerContextHelps) {
    const ToolRun tool = planned("-mva 900 --host-memory 700 -c 8192");
    EXPECT_EQ(tool.exit_code, 2);
    EXPECT_THAT(tool.err, HasSubstr("no smaller -c makes room, a smaller quantization may"));
    const ToolRun args = planned("-mva 900 --host-memory 700 -c 8192 --emit-args");
    EXPECT_EQ(args.exit_code, 2);
    EXPECT_THAT(args.err, HasSubstr("MiB of host memory are needed with -c 8192"));
}

// The machine's own RAM counts, less 2048 MiB for its system; this machine's does not.
TEST_F(MemoryThere, OfAnotherMachineIsWhatItsProfileSays) {
    another_machine(2048 + 700);
    const ToolRun small = planned("-mva 900 -c 8192");
    EXPECT_EQ(small.exit_code, 2);
    EXPECT_THAT(small.err,
                HasSubstr("and the profile's machine has 2748, less 2048 for its system"));
    EXPECT_EQ(planned("-mva 900 -c 8192 --host-memory 64000").exit_code, 0);
    another_machine(1e9);
    EXPECT_THAT(planned("-mva 900 -c 8192").out, Not(HasSubstr("host-memory")));
    another_machine(std::nullopt);
    EXPECT_THAT(planned("-mva 900 -c 8192").out,
                HasSubstr("note: how much memory the profile's machine has is not known"));
}

// 28 layers of 8 heads of 128 values of 2 bytes, K and V: 112 KiB, and llama.cpp's 51 bytes. A
// capture of such a context would take 5 GB and half a minute.
TEST_F(MemoryThere, RefusesAContextByTheModelsOwnBytesPerToken) {
    for (const char* flags : {"", " --emit-args", " --host-memory 64000", " -np 256"}) {
        const ToolRun tool = planned(std::string("-mva 1500 -c 99999999") + flags);
        EXPECT_EQ(tool.exit_code, 2) << flags;
        EXPECT_THAT(
            tool.err,
            HasSubstr("a context of 99999999 tokens takes 10942364 MiB, 112.0 KiB a token, and "
                      "there are 1500 MiB of budget and "));
    }
    EXPECT_THAT(
        planned("-mva 1500 -c 99999999 --host-memory 64000").err,
        testing::ContainsRegex("and 64000 of host memory, of which the weights take [0-9]+: "
                               "at most -c 55[0-9]+ may fit"));
    EXPECT_THAT(planned("-mva 100 -c 99999999 --host-memory 1000").err,
                HasSubstr("the weights alone leave no room"));
}

// 1.8 TiB, which no desktop has: 4 s and 0.9 GB for a plan that nobody runs.
TEST_F(MemoryThere, TakesNoUnknownHostToHaveTerabytes) {
    another_machine(std::nullopt);
    const ToolRun tool = planned("-mva 1500 -c 16777216");
    EXPECT_EQ(tool.exit_code, 2);
    EXPECT_THAT(tool.err,
                HasSubstr("and an unknown size of host memory, of which the weights take "));
    EXPECT_THAT(tool.err, HasSubstr("no machine is taken to have so much; --host-memory says"));
}

// The cache takes 120366 MiB of 121000: there is room for it, and not for the weights beside it.
TEST_F(MemoryThere, RefusesAContextThatLeavesTheWeightsNoRoom) {
    const ToolRun tool = planned("-mva 1500 -c 1100000 --host-memory 119500");
    EXPECT_EQ(tool.exit_code, 2);
    EXPECT_THAT(tool.err, HasSubstr("takes 120366 MiB, 112.0 KiB a token"));
    EXPECT_THAT(tool.err, HasSubstr("and 119500 of host memory, of which the weights take "));
}

TEST_F(MemoryThere, RefusesBatchesThatNothingHolds) {
    for (const char* flag : {"-b", "-ub", "--pshard-tier-max", "--n-outputs"}) {
        const ToolRun tool = planned(fmt::format("-mva 1500 -c 4096 {} 99999999", flag));
        EXPECT_EQ(tool.exit_code, 1) << flag;
        EXPECT_THAT(tool.err, HasSubstr("'99999999' is no whole number from 1 to 1048576"));
    }
}

// A named ubatch is held against all others for a note only: that a larger one cannot be captured
// in so little address space leaves the plan as it is.
TEST_F(MemoryThere, ALargerUbatchThatCannotBeCapturedLeavesThePlan) {
    PSHARD_NO_SANITIZER();  // it reserves terabytes
    const std::string line = command(
        {"-m", model_, "-c", "32768", "-fa", "on", "-mva", "6000", "-ub", "512", "--no-registry"});
    const ToolRun tool = run_shell("ulimit -v 1000000; " + line, folder_);
    EXPECT_EQ(tool.exit_code, 0) << tool.err;
    EXPECT_THAT(tool.out + tool.err, HasSubstr("note: -ub 512 is not compared with others: "));
}

}  // namespace
}  // namespace pshard::test
