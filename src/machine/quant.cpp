#include "machine/quant.h"

#include <algorithm>
#include <array>

namespace pshard {

namespace {

struct TypeSize {
    std::string_view name;
    int elements;  // of a block
    int bytes;     // of a block
};

constexpr std::array kTypes = {
    TypeSize{"f32", 1, 4},       TypeSize{"f16", 1, 2},      TypeSize{"bf16", 1, 2},
    TypeSize{"f64", 1, 8},       TypeSize{"i8", 1, 1},       TypeSize{"i16", 1, 2},
    TypeSize{"i32", 1, 4},       TypeSize{"i64", 1, 8},      TypeSize{"q1_0", 128, 18},
    TypeSize{"q2_0", 64, 18},    TypeSize{"q4_0", 32, 18},   TypeSize{"q4_1", 32, 20},
    TypeSize{"q5_0", 32, 22},    TypeSize{"q5_1", 32, 24},   TypeSize{"q8_0", 32, 34},
    TypeSize{"q8_1", 32, 36},    TypeSize{"mxfp4", 32, 17},  TypeSize{"nvfp4", 64, 36},
    TypeSize{"q2_K", 256, 84},   TypeSize{"q3_K", 256, 110}, TypeSize{"q4_K", 256, 144},
    TypeSize{"q5_K", 256, 176},  TypeSize{"q6_K", 256, 210}, TypeSize{"q8_K", 256, 292},
    TypeSize{"iq1_s", 256, 50},  TypeSize{"iq1_m", 256, 56}, TypeSize{"iq2_xxs", 256, 66},
    TypeSize{"iq2_xs", 256, 74}, TypeSize{"iq2_s", 256, 82}, TypeSize{"iq3_xxs", 256, 98},
    TypeSize{"iq3_s", 256, 110}, TypeSize{"iq4_nl", 32, 18}, TypeSize{"iq4_xs", 256, 136},
    TypeSize{"tq1_0", 256, 54},  TypeSize{"tq2_0", 256, 66},
};

}  // namespace

std::optional<double> bits_per_weight(std::string_view type) {
    const auto found = std::find_if(
        kTypes.begin(), kTypes.end(), [&](const TypeSize& size) { return size.name == type; });
    if (found == kTypes.end()) return std::nullopt;
    return 8.0 * found->bytes / found->elements;
}

bool is_codebook_quant(std::string_view type) {
    return type.starts_with("iq1") || type.starts_with("iq2") || type.starts_with("iq3");
}

}  // namespace pshard
