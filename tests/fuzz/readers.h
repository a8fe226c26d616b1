// The readers of what strangers write: each takes any bytes, and says what it thinks of them
// without harm.
//
// A reader is run by libFuzzer (libfuzzer_main.cpp, scripts/fuzz), which invents the bytes, and
// over the committed seeds by seeds_test.cpp. A reader that accepts the bytes is held to its
// contract: what it read is written, read again, and must be the same text. What breaks a contract
// ends the program, as a fault of a sanitizer does.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace pshard::fuzz {

struct Reader {
    std::string_view name;  // of its target, fuzz_NAME, and of its folder in seeds/
    void (*take)(const std::string& bytes);
};

void take_registry(const std::string& bytes);
void take_profile(const std::string& bytes);
void take_inventory(const std::string& bytes);
void take_trace(const std::string& bytes);
void take_gguf(const std::string& bytes);

inline constexpr std::array<Reader, 5> kReaders = {{{"registry", take_registry},
                                                    {"profile", take_profile},
                                                    {"inventory", take_inventory},
                                                    {"trace", take_trace},
                                                    {"gguf", take_gguf}}};

}  // namespace pshard::fuzz
