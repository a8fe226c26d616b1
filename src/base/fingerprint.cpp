#include "base/fingerprint.h"

#include <charconv>

#include <fmt/format.h>
#include <xxhash.h>

namespace pshard {

Hash64 word_hash(std::initializer_list<std::int64_t> words) {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const std::int64_t word : words) {
        hash = (hash ^ static_cast<std::uint64_t>(word)) * 0x100000001b3U;
    }
    return Hash64{hash};
}

Hash64 text_hash(std::string_view text) { return Hash64{XXH3_64bits(text.data(), text.size())}; }

std::string to_text(Hash64 hash) { return fmt::format("0x{:016x}", hash.value); }

std::optional<Hash64> hash_of(std::string_view text) {
    constexpr std::string_view kLowerHex = "0123456789abcdef";
    if (text.size() != 18 || !text.starts_with("0x")) return std::nullopt;
    const std::string_view digits = text.substr(2);
    if (digits.find_first_not_of(kLowerHex) != std::string_view::npos) return std::nullopt;
    Hash64 hash;
    std::from_chars(digits.data(), digits.data() + digits.size(), hash.value, 16);
    return hash;
}

}  // namespace pshard
