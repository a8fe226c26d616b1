// llama-pshard-run beside a plan that somebody has changed after it was written.
#include "registry/registry_file.h"
#include "support/testing.h"
#include "tool/run_launcher.h"

namespace pshard::test {
namespace {

class RunAltered : public LauncherTest {
protected:
    void put(const std::string& text) const { std::ofstream(registry()) << text; }
};

TEST_F(RunAltered, IsRefusedUntilTheUserSaysWhoseChangeItIs) {
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

}  // namespace
}  // namespace pshard::test
