// Where profiles are found, and whose are passed over.
#include "machine/profile_search.h"

#include <filesystem>
#include <fstream>

#include "base/temp_folder.h"
#include "support/testing.h"

namespace pshard {
namespace {

namespace fs = std::filesystem;

// A folder and a cache; this machine has the CPU "ours".
class ProfileSearch : public testing::Test {
protected:
    ProfileSearch() {
        fs::create_directory(folder_.file("here"));
        fs::create_directory(folder_.file("cache"));
        places_.folder = folder_.file("here");
        places_.cache = folder_.file("cache");
        machine_.cpu_name = "ours";
    }

    // Both files of a machine with that CPU and GPU.
    void put(const std::string& place, const std::string& cpu_name, const std::string& gpu = "G") {
        MachineProfile profile;
        profile.cpu_name = cpu_name;
        profile.gpu_name = gpu;
        const OpRow row{.op = "MUL_MAT", .quant = "f16", .gb_per_s = 1, .gflops = 1};
        profile.cpu.emplace().n_threads = 1;
        profile.cpu->rows = {row};
        profile.gpu.emplace().backend = "CUDA0";
        profile.gpu->rows = {row};
        const ProfileTexts texts = to_text(profile);
        std::ofstream(path(place, "cpu")) << *texts.cpu;
        std::ofstream(path(place, "gpu")) << *texts.gpu;
    }

    std::string path(const std::string& place, const std::string& side) const {
        return folder_.file(place + "/" + side + "_profile.txt");
    }

    FoundProfiles find() const { return find_profile_files(places_, machine_); }

    test::TempFolder folder_;
    ProfilePlaces places_;
    MachineIdentity machine_;
};

TEST_F(ProfileSearch, TakesTheNamedThenTheFoldersThenTheCaches) {
    EXPECT_EQ(find().cpu, "");
    put("cache", "ours");
    for (const bool runs_here : {false, true}) {
        places_.runs_here = runs_here;
        EXPECT_EQ(find().cpu, path("cache", "cpu"));
        EXPECT_EQ(find().gpu, path("cache", "gpu"));
        EXPECT_THAT(find().cached, ElementsAre(path("cache", "cpu"), path("cache", "gpu")));
        EXPECT_THAT(find().notes, IsEmpty());
    }
    put("here", "ours");
    EXPECT_EQ(find().cpu, path("here", "cpu"));
    EXPECT_THAT(find().cached, IsEmpty());
    places_.cpu = "named.txt";
    EXPECT_EQ(find().cpu, "named.txt");
    EXPECT_EQ(find().gpu, path("here", "gpu"));
}

TEST_F(ProfileSearch, PassesOverACacheOfAnotherMachineAndNamesIt) {
    put("cache", "theirs");
    EXPECT_EQ(find().cpu + find().gpu, "");
    EXPECT_THAT(find().notes,
                ElementsAre(AllOf(HasSubstr(path("cache", "cpu") + " is of another machine (CPU: "),
                                  HasSubstr("'theirs'"),
                                  HasSubstr("name it with --cpu-profile or PSHARD_CPU_PROFILE")),
                            HasSubstr(path("cache", "gpu"))));
    put("cache", "ours", "another GPU");
    EXPECT_EQ(find().gpu, path("cache", "gpu"));  // nobody has asked for the GPU's name
    machine_.gpu_name = "G";
    EXPECT_EQ(find().gpu, "");
}

// Who only plans may have brought the files; who runs here must not run by them.
TEST_F(ProfileSearch, TakesAFolderOfAnotherMachineOnlyToPlanFor) {
    put("here", "theirs");
    EXPECT_EQ(find().gpu, path("here", "gpu"));
    EXPECT_THAT(find().notes, IsEmpty());
    places_.runs_here = true;
    EXPECT_EQ(find().gpu, "");
    EXPECT_EQ(find().notes.size(), 2U);
    put("cache", "ours");
    EXPECT_EQ(find().gpu, path("cache", "gpu"));
}

// The desktop's GPU beside the laptop's CPU would be a machine that is nowhere.
TEST_F(ProfileSearch, MixesTheCacheWithNoOtherMachine) {
    put("here", "theirs");
    fs::remove(path("here", "cpu"));
    put("cache", "ours");
    EXPECT_EQ(find().gpu, path("here", "gpu"));
    EXPECT_EQ(find().cpu, "");
    EXPECT_THAT(
        find().notes,
        ElementsAre(AllOf(HasSubstr(path("cache", "cpu")), HasSubstr(path("here", "gpu")))));
}

TEST_F(ProfileSearch, PassesOverWhatCannotBeRead) {
    std::ofstream(path("cache", "cpu")) << "no profile";
    EXPECT_EQ(find().cpu, "");
    EXPECT_THAT(find().notes, ElementsAre(HasSubstr("it is passed over")));
}

TEST(ProfileCache, IsNoneWithoutAHome) {
    EXPECT_EQ(profile_cache("/x", "/h"), "/x/pshard");
    EXPECT_EQ(profile_cache("", "/h"), "/h/.cache/pshard");
    EXPECT_EQ(profile_cache("", ""), "");
}

}  // namespace
}  // namespace pshard
