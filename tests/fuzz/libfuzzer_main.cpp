// One reader as a target of libFuzzer; the build says which (PSHARD_FUZZED).
#include <cstddef>
#include <cstdint>

#include "fuzz/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const pshard::fuzz::Reader& reader : pshard::fuzz::kReaders) {
        if (reader.name == PSHARD_FUZZED) reader.take({reinterpret_cast<const char*>(data), size});
    }
    return 0;
}
