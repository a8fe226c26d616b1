// llama-pshard-run beside plans that it must not take: of another model, or changed after they were
// written.
#include "registry/registry_file.h"
#include "support/testing.h"
#include "tool/run_launcher.h"

namespace pshard::test {
namespace {

class RunBesidePlans : public LauncherTest {
protected:
    void put(const std::string& text) const { std::ofstream(registry()) << text; }
};

TEST_F(RunBesidePlans, RefusesAChangedOneUntilTheUserSaysWhoseChangeItIs) {
    const std::vector<std::string> command = with(planning(), {stand_in("llama-server")});
    EXPECT_EQ(run(command).exit_code, 7);
    std::string altered = text_in(registry());
    const std::size_t rate = altered.find(" tps=") + 5;
    altered[rate] = altered[rate] == '9' ? '8' : '9';
    put(altered);
    const ToolRun refused = run(command);
    EXPECT_EQ(refused.exit_code, 1);
    const std::string file = registry().string();
    EXPECT_THAT(refused.err, HasSubstr("warning: " + file + ":7:1: this plan was changed after"));
    EXPECT_THAT(refused.err,
                HasSubstr(file + ": its plan for these settings was changed after it was written: "
                                 "--replan puts a new one in its place; delete line "));
    EXPECT_EQ(text_in(registry()), altered);

    // A run with other settings was not to take it.
    const ToolRun other = run(with(planning({"-ub", "128"}), {stand_in("llama-server")}));
    EXPECT_EQ(other.exit_code, 7) << other.err;
    EXPECT_THAT(text_in(registry()), HasSubstr(altered.substr(altered.find("[variant"))));

    std::string own = altered;
    const std::size_t line = own.find("# pshard variant checksum=");
    own.erase(line, own.find('\n', line) + 1 - line);
    put(own);
    const ToolRun taken = run(command);
    EXPECT_EQ(taken.exit_code, 7);
    EXPECT_THAT(taken.err, HasSubstr("note: the plan of " + file + ": it has no checksum"));
    EXPECT_EQ(text_in(registry()), own);

    put(altered);
    EXPECT_EQ(run(with(planning({"--replan"}), {stand_in("llama-server")})).exit_code, 7);
    EXPECT_TRUE(test::value_of(load_registry(file)).warnings.empty());
}

// Edited on purpose, and wrong: PSHARD0 would refuse it.
TEST_F(RunBesidePlans, RefusesOneThatPinsMoreThanThereIs) {
    const std::vector<std::string> command = with(planning(), {stand_in("llama-server")});
    EXPECT_EQ(run(command).exit_code, 7);
    std::string own = text_in(registry());
    const std::size_t line = own.find("# pshard variant checksum=");
    own.erase(line, own.find('\n', line) + 1 - line);
    const std::size_t pinned = own.find(" n_pinned=") + 10;
    own.replace(pinned, own.find(' ', pinned) - pinned, "999");
    const std::size_t chosen =
        own.find("n_pinned:");  // in the pshard line of the tier, if it has one
    if (chosen != own.npos) {
        own.replace(chosen + 9, own.find(',', chosen) - chosen - 9, "999");
    }
    put(own);
    const ToolRun refused = run(command);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err,
                HasSubstr("keeps more layers on the GPU than the model has, 28: --replan puts"));
    EXPECT_EQ(text_in(registry()), own);
}

// A split model whose first file holds no tensor: two quantizations have first files of one size.
TEST_F(RunBesidePlans, TakesThatOfItsOwnSplitModel) {
    std::vector<std::string> models;
    for (const char* quant : {"Q4_K_M", "Q8_0"}) {
        const std::string name = std::string(quant) + ".gguf";
        tool_ = PSHARD_TOOL_PATH_MAKE_MODEL;
        ASSERT_EQ(run({"Llama-3.2-3B",
                       "--quant",
                       quant,
                       "--split",
                       "3",
                       "--no-tensor-first-split",
                       "-o",
                       name})
                      .exit_code,
                  0);
        models.push_back(std::string(quant) + "-00001-of-00003.gguf");
    }
    ASSERT_EQ(std::filesystem::file_size(folder_ / models[0]),
              std::filesystem::file_size(folder_ / models[1]));
    tool_ = PSHARD_TOOL_PATH_RUN;
    const std::string program = stand_in("llama-server");
    const auto start = [&](const std::string& model) {
        return run(
            with({"-m", model, "-c", "4096", "-fa", "on", "-mva", "1500", "--registry", "shared"},
                 {program}));
    };
    for (const std::string& model : models) {
        EXPECT_THAT(start(model).err, HasSubstr("planned for 1500 MiB"));
    }
    const std::string written = text_in(folder_ / "shared");
    for (const std::string& model : models) {
        EXPECT_THAT(start(model).err, HasSubstr("plan of ")) << model;
    }
    EXPECT_EQ(text_in(folder_ / "shared"), written);
    EXPECT_EQ(value_of(load_registry(folder_ / "shared")).registry.sections.size(), 1U);
}

// Two quantizations, whose first files have the same size, share a registry.
TEST_F(RunBesidePlans, TakesThatOfItsOwnModel) {
    const Result<std::filesystem::path> other =
        testing_support::sparse_model("Llama-3.2-3B", "Q8_0");
    ASSERT_TRUE(other.ok());
    const std::filesystem::path model = folder_ / "other.gguf";
    std::filesystem::create_hard_link(other.value(), model);
    const std::filesystem::path same_size = folder_ / "same_size.gguf";
    ASSERT_EQ(
        run_shell("cp " + shell_word(model_) + " " + shell_word(same_size), folder_).exit_code,
        0);  // keeps its holes
    std::filesystem::resize_file(same_size, std::filesystem::file_size(model));
    const std::string program = stand_in("llama-server");
    const auto start = [&](const std::filesystem::path& path) {
        return run(
            with({"-m", path, "-c", "4096", "-fa", "on", "-mva", "1500", "--registry", "shared"},
                 {program}));
    };
    EXPECT_THAT(start(model).err, HasSubstr("planned for 1500 MiB"));
    EXPECT_THAT(start(same_size).err, HasSubstr("planned for 1500 MiB"));
    const std::string written = text_in(folder_ / "shared");
    const RegistryReading both = test::value_of(load_registry(folder_ / "shared"));
    ASSERT_EQ(both.registry.sections.size(), 1U);
    ASSERT_EQ(both.registry.sections[0].variants.size(), 2U);
    const auto weights_of = [&](std::size_t i) {
        return ":" + to_text(*both.registry.sections[0].variants[i].pshard.weights) + "\n";
    };
    for (std::size_t i = 0; i < 2; ++i) {
        const ToolRun again = start(i == 0 ? model : same_size);
        EXPECT_THAT(again.err, HasSubstr("plan of ")) << i;
        EXPECT_THAT(again.out, HasSubstr(weights_of(i))) << i;
    }
    EXPECT_EQ(text_in(folder_ / "shared"), written);
}

}  // namespace
}  // namespace pshard::test
