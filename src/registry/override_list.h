// The `ot=` line of a tier: which weight goes to which lane, as an ordered list of patterns.
//
//   ot=^output=CUDA_Host:3,^token_embd=CUDA_Host:3,blk\.0\..*=CUDA_Host:0
//
// Items are split at commas, an item at its first '=' and its last ':', as the published reader
// does. A weight goes where the first pattern sends it that is found anywhere in its name.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pshard {

// Lanes with one GPU [S10]: 0 stays on the GPU; 1 and 2 are streamed to it through their
// slot; 3 is the CPU.
struct OverrideItem {
    std::string pattern;      // ECMAScript regex: no comma, no '=', not empty
    std::string buffer_type;  // "CUDA_Host": readers put their own host type in its place
    int lane = 0;

    bool operator==(const OverrideItem&) const = default;
};

// `text` is what follows "ot=". An Error's column counts from the start of `text`.
Result<std::vector<OverrideItem>> parse_ot(std::string_view text);

std::string to_text(const std::vector<OverrideItem>& items);

// The list with its patterns compiled, once for all names that are asked.
class OverrideList {
public:
    // Fails on a pattern that is no regex, or that is longer than 1024 bytes.
    static Result<OverrideList> compile(const std::vector<OverrideItem>& items);

    // The lane of the first pattern found in `weight_name`; nullopt where none is.
    [[nodiscard]] std::optional<int> lane_of(const std::string& weight_name) const;

private:
    struct Rule {
        std::regex pattern;
        int lane = 0;
    };

    std::vector<Rule> rules_;
};

}  // namespace pshard
