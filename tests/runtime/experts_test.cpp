// Which bytes of a stack of experts cross the link.
#include "build_paths.h"
#include "probe/devices.h"
#include "runtime/executor.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr std::int64_t kExperts = 4;
constexpr Bytes kExpert = 1024;

std::unique_ptr<Queue> cpu_queue() {
    load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
    Result<std::unique_ptr<Queue>> queue = Queue::open(find_cpu().value());
    PSHARD_CHECK(queue.ok());
    return std::move(queue).value();
}

// A stack in "device" memory of the CPU backend: 0 where nothing was uploaded, else the expert's
// number plus 1.
class UploadExperts : public testing::Test {
protected:
    UploadExperts() {
        for (std::size_t i = 0; i < host_.size(); ++i) host_[i] = std::byte(1 + i / kExpert);
        stack_.type = GGML_TYPE_I8;
        stack_.ne[0] = std::int64_t(device_.size());
        stack_.ne[1] = stack_.ne[2] = stack_.ne[3] = 1;
        for (std::size_t& stride : stack_.nb) stride = device_.size();
        stack_.nb[0] = 1;
        stack_.data = device_.data();
        buffer_ = ggml_backend_dev_buffer_from_host_ptr(
            find_cpu().value(), memory_.data(), memory_.size(), memory_.size());
        stack_.buffer = buffer_;
    }

    ~UploadExperts() override { ggml_backend_buffer_free(buffer_); }

    ggml_tensor ids_of(std::vector<std::int32_t>& ids) {
        ggml_tensor tensor{};
        tensor.type = GGML_TYPE_I32;
        tensor.ne[0] = std::int64_t(ids.size());
        tensor.ne[1] = tensor.ne[2] = tensor.ne[3] = 1;
        tensor.nb[0] = sizeof(std::int32_t);
        tensor.nb[1] = tensor.nb[2] = tensor.nb[3] = ids.size() * sizeof(std::int32_t);
        tensor.data = ids.data();
        tensor.buffer = buffer_;
        return tensor;
    }

    void upload(std::vector<std::int32_t> ids) {
        ggml_tensor tensor = ids_of(ids);
        const SlotPiece weight{0, host_.size(), host_.data()};
        std::vector<SlotPiece> pieces;
        add_named_experts(*queue_, {{weight, kExperts, &tensor}}, pieces);
        link_.upload(stack_, pieces);
        queue_->synchronize();
    }

    std::vector<int> bytes(Bytes begin, Bytes end) const {
        std::vector<int> values;
        for (Bytes i = begin; i < end; ++i) values.push_back(std::to_integer<int>(device_[i]));
        return values;
    }

    std::vector<std::byte> host_ = std::vector<std::byte>(kExperts * kExpert);
    alignas(64) std::array<std::byte, kExperts * kExpert> memory_{};
    std::span<std::byte> device_{memory_};
    ggml_tensor stack_{};
    ggml_backend_buffer_t buffer_ = nullptr;
    std::unique_ptr<Queue> queue_ = cpu_queue();
    PageLocks locks_{find_cpu().value(), 0};
    Staging link_{find_cpu().value(), *queue_, locks_};
};

TEST_F(UploadExperts, BringsThoseThatAreNamed) {
    upload({2});
    EXPECT_THAT(bytes(2 * kExpert, 3 * kExpert), Each(3));
    EXPECT_THAT(bytes(0, 2 * kExpert), Each(0));
}

// Kernels read past an expert's rows.
TEST_F(UploadExperts, BringsABitOfTheNextOne) {
    upload({0});
    EXPECT_THAT(bytes(kExpert, kExpert + 512), Each(2));
    EXPECT_THAT(bytes(kExpert + 512, 4 * kExpert), Each(0));
}

TEST_F(UploadExperts, StopsAtTheLast) {
    upload({3, 3});
    EXPECT_THAT(bytes(3 * kExpert, 4 * kExpert), Each(4));
    EXPECT_THAT(bytes(0, 3 * kExpert), Each(0));
}

TEST_F(UploadExperts, LeavesOutIdsThatNameNone) {
    upload({-1, 4, 1});
    EXPECT_THAT(bytes(kExpert, 2 * kExpert), Each(2));
    EXPECT_THAT(bytes(0, kExpert), Each(0));
}

}  // namespace
}  // namespace pshard
