#include "search/candidate.h"

#include <array>
#include <tuple>

namespace pshard {

std::string_view bound_name(BoundBy bound) {
    static constexpr std::array<std::string_view, 7> kNames = {"link",
                                                               "GPU compute",
                                                               "GPU memory",
                                                               "GPU launch",
                                                               "CPU compute",
                                                               "CPU memory",
                                                               "CPU launch"};
    return kNames[static_cast<std::size_t>(bound)];
}

bool better(const Candidate& a, const Candidate& b) {
    const auto rank = [](const Candidate& c) {
        const double tps = c.prediction ? c.prediction->tokens_per_second : 0;
        return std::tuple(c.verdict == Verdict::Viable,
                          c.prediction.has_value(),
                          tps,
                          c.choice.n_pinned,
                          c.choice.n_attn_pinned,
                          static_cast<int>(c.choice.overflow));
    };
    if (rank(a) != rank(b)) return rank(a) > rank(b);
    return a.memory.device.total() < b.memory.device.total();
}

}  // namespace pshard
