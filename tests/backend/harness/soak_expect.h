// A soak in GoogleTest's words.
#pragma once

#include "backend/harness/expect.h"
#include "backend/harness/soak.h"

namespace pshard::backend_test {

// A server on PSHARD0 says in every round what stock says in its second one, as in its first, and
// does not grow.
class Soaked : public OnSimgpu {
protected:
    ChildProgram server_on(const std::string& device_name, Environment environment) {
        ChildProgram program =
            llama_program("llama-server", grid.model_file(model_row("llama-Q8_0")), device_name);
        program.with(soaked_flags()).environment = std::move(environment);
        program.limit_seconds = 600;
        return program;
    }

    static Soak soaked(ChildProgram program, const std::function<bool(int)>& goes_on) {
        Server server(std::move(program));
        SCOPED_TRACE(server.program().shell_line());
        const Result<Soak> result = soak(server, goes_on);
        EXPECT_TRUE(result.ok()) << result.error().text();
        const ChildResult& end = server.stop();
        EXPECT_EQ(end.exit_code, 0) << end.text();
        EXPECT_THAT(end.err, HasSubstr("context shift"));
        return result.ok() ? result.value() : Soak{};
    }

    void expect_flat(const std::string& plan, const std::function<bool(int)>& goes_on) {
        const Soak stock = soaked(server_on(device.stock_name, device.stock),
                                  [](int n_rounds) { return n_rounds < 2; });
        EXPECT_EQ(stock.n_different, 0) << stock.difference;
        const Soak ours =
            soaked(server_on("PSHARD0", pshard_environment(device, plan_row(plan))), goes_on);
        fmt::print("[soak] {}: {}\n", plan, ours.text());
        std::fflush(stdout);
        EXPECT_EQ(ours.said, stock.said);
        EXPECT_EQ(ours.n_different, 0) << ours.difference;
        EXPECT_LE(ours.more_descriptors(), 0) << ours.text();
        EXPECT_LE(ours.grown_mib(), kAllocatorsOwn) << ours.text();
    }

private:
    static constexpr double kAllocatorsOwn = 8;  // MiB; with `rotate` 3.7 were seen
};

}  // namespace pshard::backend_test
