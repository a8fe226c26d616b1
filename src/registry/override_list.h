// The `ot=` line of a tier: which weight goes to which lane, as an ordered list of patterns.
//
//   ot=^output=CUDA_Host:3,^token_embd=CUDA_Host:3,blk\.0\..*=CUDA_Host:0
//
// A comma ends an item. The first '=' of an item ends its pattern, and the last ':' begins its
// lane, as the published reader has it. A weight goes to the lane of the first pattern that is
// found anywhere in its name.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pshard {

// One item of the list. The lanes with one GPU [S10]: weights of lane 0 stay on the GPU, those of
// lanes 1 and 2 are streamed to it through their slot, and lane 3 is the CPU.
struct OverrideItem {
    std::string pattern;      // ECMAScript regex: no comma, no '=', not empty
    std::string buffer_type;  // "CUDA_Host"; readers take their own host type instead
    int lane = 0;

    bool operator==(const OverrideItem&) const = default;
};

// Reads what follows "ot=". The column of an Error counts from the start of `text`.
Result<std::vector<OverrideItem>> parse_ot(std::string_view text);

std::string to_text(const std::vector<OverrideItem>& items);

// The list with compiled patterns, to be asked for many names.
class OverrideList {
public:
    // Fails on a pattern that is no regular expression, or that is longer than 1024 bytes.
    static Result<OverrideList> compile(const std::vector<OverrideItem>& items);

    // The lane of the first pattern that is found in `weight_name`; nullopt if none is.
    [[nodiscard]] std::optional<int> lane_of(const std::string& weight_name) const;

private:
    struct Rule {
        std::regex pattern;
        int lane = 0;
    };

    std::vector<Rule> rules_;
};

}  // namespace pshard
