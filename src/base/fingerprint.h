// Hashes that stand in files, so they must stay the same for ever and on every machine.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace pshard {

struct Hash64 {
    std::uint64_t value = 0;

    auto operator<=>(const Hash64&) const = default;
};

// FNV-1a over whole 64-bit words, as the published planner makes its fingerprint [S14]. The hash
// begins as 0xcbf29ce484222325; each word is xored into it, and the result multiplied by
// 0x100000001b3. A negative word is sign-extended.
Hash64 word_hash(std::initializer_list<std::int64_t> words);

// XXH3_64bits of the bytes, for keys that are made from canonical text.
Hash64 text_hash(std::string_view text);

// to_text writes "0x" and 16 lowercase hex digits. hash_of reads exactly that; anything else is
// nullopt.
std::string to_text(Hash64 hash);
std::optional<Hash64> hash_of(std::string_view text);

}  // namespace pshard
