// Real captures through their text form; the format itself is tested in tests/inventory.
#include "capture/capture_fixture.h"
#include "inventory/inventory_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

class RoundTrip : public CaptureTest, public testing::WithParamInterface<std::string> {};

TEST_P(RoundTrip, GivesTheInventoryBack) {
    CaptureRequest request = request_for(known(GetParam()), small_context());
    request.tiers = {1, 16, 128, 512};
    const Inventory inventory = captured(request);
    const std::string text = to_text(inventory);
    const Inventory back = test::value_of(inventory_from_text(text, "round trip"));
    EXPECT_TRUE(back == inventory);
    EXPECT_LT(text.size(), 10U << 20);
}

INSTANTIATE_TEST_SUITE_P(Models,
                         RoundTrip,
                         Values("Llama-3.2-3B",
                                "Mixtral-8x7B",
                                "DeepSeek-V2-Lite",
                                "Qwen3-235B-A22B",
                                "Qwen3-Next-80B-A3B",
                                "Falcon-H1-7B"),
                         test::NamedByParameter());

}  // namespace
}  // namespace pshard
