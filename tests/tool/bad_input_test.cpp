// Whatever it is given: one clear sentence, exit code 1, nothing written, no crash.
#include <sys/stat.h>

#include "capture/gguf_maker.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

class BadInput : public ToolTest {
protected:
    void expect_error(const std::vector<std::string>& arguments, const std::string& what) const {
        expect_says(arguments, "", what);
    }

    // `said`: a part of the one line on stderr.
    void expect_says(const std::vector<std::string>& arguments,
                     const std::string& said,
                     const std::string& what = "") const {
        const ToolRun tool = run(arguments);
        SCOPED_TRACE(what + ": " + tool.err);
        EXPECT_EQ(tool.exit_code, 1);
        EXPECT_EQ(tool.out, "");
        // What takes over a second, as it may under a sanitizer, says so in a line of its own.
        const std::string last = tool.err.substr(tool.err.rfind(" ...\n") + 1);
        EXPECT_EQ(std::count(last.begin(), last.end(), '\n'), last.starts_with("...") ? 2 : 1);
        EXPECT_TRUE(tool.err.starts_with("llama-pshard-plan-params: "));
        EXPECT_THAT(tool.err, HasSubstr(said));
        for (const auto& file : std::filesystem::directory_iterator(folder_)) {
            EXPECT_EQ(file.path().string().find("registry"), std::string::npos) << file.path();
        }
    }

    std::string file(const std::string& name, const std::string& content) const {
        std::ofstream(folder_ / name, std::ios::binary) << content;
        return folder_ / name;
    }

    // Sound in form: what is wrong is what the keys say.
    std::string model_of(const std::string& name,
                         std::uint32_t n_layers,
                         std::uint32_t n_embd,
                         std::uint32_t n_heads,
                         std::uint32_t n_experts = 0) const {
        GgufMaker maker;
        maker.begin(1, 9)
            .integer("llama.expert_count", n_experts)
            .string("general.architecture", "llama")
            .integer("llama.block_count", n_layers)
            .integer("llama.context_length", 2048)
            .integer("llama.embedding_length", n_embd)
            .integer("llama.feed_forward_length", 64)
            .integer("llama.attention.head_count", n_heads)
            .integer("llama.attention.head_count_kv", n_heads)
            .string("tokenizer.ggml.model", "none")
            .tensor("token_embd.weight", 32, 32, 0)
            .data(4096);
        return maker.write(folder_ / name);
    }
};

TEST_F(BadInput, Files) {
    const auto with = [](const std::string& path) {
        return std::vector<std::string>{"-m", path, "-c", "512", "-mva", "500"};
    };
    expect_error(with(folder_ / "missing.gguf"), "missing");
    expect_error(with(folder_), "a folder");
    expect_error(with(file("empty.gguf", "")), "empty");
    expect_error(with(file("text.gguf", "hello\n")), "text");
    expect_error(with("/dev/null"), "a device");
    expect_says(with(model_of("no_layers.gguf", 0, 32, 4)), "0 layers (llama.block_count)");
    expect_says(with(model_of("many_layers.gguf", 4294967295U, 32, 4)), "4294967295 layers");
    // llama.cpp asserts its limits.
    expect_says(with(model_of("layers.gguf", 1000, 32, 4)),
                "says that it has 1000 layers, and llama.cpp v0.5.0 runs at most 512");
    expect_says(with(model_of("experts.gguf", 2, 32, 4, 4096)),
                "says that it has 4096 experts in a layer, and llama.cpp v0.5.0 runs at most 1024");
    expect_says(with(model_of("no_used.gguf", 2, 32, 4, 8)), "8 experts (expert_count), and none");
    expect_error(with(model_of("no_width.gguf", 2, 0, 4)), "no width");
    expect_error(with(model_of("no_heads.gguf", 2, 32, 0)), "no heads");
    expect_error(with(model_of("no_tensors.gguf", 2, 32, 4)), "tensors are missing");
}

TEST_F(BadInput, TruncatedModels) {
    std::ifstream model(model_, std::ios::binary);
    std::string head(1 << 20, '\0');
    model.read(head.data(), static_cast<std::streamsize>(head.size()));
    for (const std::size_t size : {3, 60, 5000, 1 << 20}) {
        expect_error({"-m", file("cut.gguf", head.substr(0, size)), "-c", "512", "-mva", "500"},
                     fmt::format("{} bytes", size));
    }
}

TEST_F(BadInput, Numbers) {
    for (const char* n_ctx : {"99999999999", "-5", "12x", "", "1e6"}) {
        expect_error({"-m", model_, "-c", n_ctx, "-mva", "500"}, n_ctx);
    }
    for (const char* n_parallel : {"0", "-7", "1000000"}) {
        expect_error(planning({"-np", n_parallel}), n_parallel);
    }
    expect_error(planning({"--pshard-tier-max", "0"}), "no tier");
    expect_error(planning({"-mva", "99999999999999"}), "an exabyte");
    expect_error(planning({"--depth", "5000"}), "deeper than the context");
    expect_error(planning({"-fitt", "a,b"}), "fit target");
}

TEST_F(BadInput, Flags) {
    expect_error({}, "nothing");
    expect_error(planning({"--no-such-flag"}), "unknown flag");
    expect_error(planning({"stray"}), "stray word");
    expect_says(planning({"-sm", "foo"}), "'foo' is none of none, layer, row, tensor");
    expect_error({"-m"}, "no value");
    expect_error(planning({"-ctk", "q9_9"}), "cache type");
    expect_error(planning({"-fa", "maybe"}), "flash attention");
    expect_error(planning({"-o", "xml"}), "output");
    expect_error(planning({"--device", "nosuch"}), "device");
    expect_error(planning({"-p", "512,1024"}), "a list without --bench-plan");
    expect_says(planning({"--bench-plan"}),
                "plans the contexts that -p, -n, -pg and -d make: leave -c out");
    expect_says({"-m", model_, "--ctx-size=64", "--bench-plan"}, "leave --ctx-size out");
    expect_says(planning({"-d", "0"}), "-d: only with --bench-plan");
    expect_says(planning({"--n-depth", "0"}), "--n-depth: only with --bench-plan");
    expect_says(planning({"--parallel", "0"}), "--parallel 0: there must be");
    expect_says({"-m", model_, "--bench-plan", "--save-inventory", "x"},
                "leave out --save-inventory\n");
    expect_says(planning({"--emit-args", "--bench-plan"}), "leave -c out");
    expect_says(planning({"--emit-args", "--inventory", "x"}), "leave out --inventory\n");
    expect_says(planning({"-p", "99999999"}), "-p 99999999: a sequence holds 4096 tokens here");
    expect_says(planning({"--emit-args", "--n-gen", "5000"}),
                "--n-gen 5000: a sequence holds 4096");
    expect_says(planning({"--n-prompt", "0"}), "--n-prompt 0: only --bench-plan takes a list");
    const auto bench = [&](const char* depths) {
        return std::vector<std::string>{"-m", model_, "--bench-plan", "-d", depths, "-mva", "500"};
    };
    expect_says(bench("1-5*1"), "range never ends");
    expect_says(bench("1-1000000"), "it holds more than 1000 values");
    expect_says(bench("1024-128"), "1024-128 ends before it begins");
    const std::string path = folder_ / "one";
    expect_says(planning({"--registry", path, "--save-inventory", folder_ / "." / "one"}),
                "the same file");
}

// An empty word counted as if the flag was not there: a script's variable that nobody had set.
TEST_F(BadInput, EmptyValues) {
    for (const char* flag : {"-m",          "-md",
                             "-mm",         "--spec-type",
                             "-ctkd",       "-c",
                             "--inventory", "--save-inventory",
                             "-fa",         "-ctk",
                             "-np",         "-b",
                             "--for",       "-mva",
                             "-fitt",       "-dev",
                             "--depth",     "--cpu-profile",
                             "-p",          "-o",
                             "-ngl",        "-ts",
                             "-ot",         "--n-cpu-moe",
                             "--n-cpu-ffn", "-sm",
                             "--registry"}) {
        expect_says(planning({flag, ""}), std::string(flag) + ": ", flag);
    }
    expect_says(planning({"--registry="}), "--registry: its value is empty: give one, or leave");
}

// llama.cpp's spellings are exact.
TEST_F(BadInput, Spellings) {
    expect_says(planning({"-ctx-size", "4096"}), "unknown argument '-ctx-size'; write --ctx-size");
    expect_says(planning({"-ctx_size=4096"}),
                "unknown argument '-ctx_size=4096'; write --ctx-size");
    expect_says(planning({"-model", "x"}), "write --model");
    expect_says(planning({"-c8192"}), "'-c' and its value are two words: -c 8192");
    expect_says(planning({"-c=8192"}), "'-c' and its value are two words: -c 8192");
    expect_says(planning({"-zeta"}), "unknown argument '-zeta'; --help lists the flags");
}

TEST_F(BadInput, Environment) {
    environment_["LLAMA_ARG_CTX_SIZE"] = "many";
    expect_error({"-m", model_, "-mva", "500"}, "number");
    environment_["LLAMA_ARG_CTX_SIZE"] = "512";
    environment_["LLAMA_ARG_KV_UNIFIED"] = "perhaps";
    expect_error({"-m", model_, "-mva", "500"}, "switch");
}

TEST_F(BadInput, Profiles) {
    environment_["PSHARD_CPU_PROFILE"] = folder_ / "missing.txt";
    expect_error(planning(), "missing");
    environment_["PSHARD_CPU_PROFILE"] = file("bad.txt", "MUL_MAT what is this\n");
    expect_error(planning(), "malformed");
    environment_["PSHARD_CPU_PROFILE"] = folder_;
    expect_error(planning(), "a folder");
}

// Nobody writes into them: the planner must not wait.
TEST_F(BadInput, Pipes) {
    const std::string pipe = folder_ / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    expect_says(planning({"--gpu-profile", pipe}), "folder, pipe or device");
    expect_says(planning({"--cpu-profile", pipe}), "folder, pipe or device");
    expect_says({"--inventory", pipe, "-mva", "500"}, "this is not a file");
    expect_says(planning({"--no-registry", "--save-inventory", pipe}), "this is not a file");
    expect_error({"-m", pipe, "-mva", "500"}, "pipe");
    expect_says(planning({"--registry", pipe}), "this is not a file");
    environment_["PSHARD_GPU_PROFILE"] = pipe;
    expect_says(planning(), "folder, pipe or device");
}

TEST_F(BadInput, Inventories) {
    expect_error({"--inventory", folder_ / "missing", "-mva", "500"}, "missing");
    expect_says({"--inventory", file("bad", "nonsense\n"), "-mva", "500"}, "expected");
    const std::string saved = folder_ / "saved";
    ASSERT_EQ(run(planning({"--no-registry", "--save-inventory", saved})).exit_code, 0);
    std::string text = text_in(saved);
    text[text.find("n_ctx 4096") + 6] = '5';
    expect_says({"--inventory", file("edited", text), "-mva", "500"}, "checksum does not agree");
}

TEST_F(BadInput, DraftModelsAndProjectors) {
    expect_error(planning({"-md", folder_ / "missing"}), "draft model");
    expect_error(planning({"--mmproj", file("text", "hello")}), "GGUF");
    expect_says(planning({"--mmproj", model_}), "is no projector: its architecture is 'llama'");
}

}  // namespace
}  // namespace pshard::test
