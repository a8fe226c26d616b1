#include "fakecuda/settings.h"

#include <cstdlib>
#include <string_view>

#include "simgpu/variables.h"

namespace pshard::fakecuda {

namespace {

class Reader : public simgpu::Variables {
public:
    explicit Reader(const char* const* environment) : Variables(environment, "FAKECUDA_") {}

    [[nodiscard]] std::string text(const std::string& name) const {
        const std::string* found = find(name);
        return found == nullptr ? "" : *found;
    }

    // The whole number of that name, else `otherwise`.
    long number(const std::string& name, long otherwise) {
        const std::string word = text(name);
        if (word.empty()) return otherwise;
        char* end = nullptr;
        const long read = std::strtol(word.c_str(), &end, 10);
        if (*end == '\0' && read >= 0) return read;
        refuse(name);
        return otherwise;
    }

    std::size_t bytes(const std::string& name, std::size_t otherwise, unsigned shift) {
        return static_cast<std::size_t>(number(name, static_cast<long>(otherwise >> shift)))
               << shift;
    }

    std::map<std::string, long> calls(const std::string& name) {
        std::map<std::string, long> result;
        const std::string words = text(name);
        std::string_view rest = words;
        while (!rest.empty()) {
            const std::string one(rest.substr(0, rest.find(',')));
            rest.remove_prefix(std::min(rest.size(), one.size() + 1));
            const std::size_t colon = one.find(':');
            const long n = colon == std::string::npos ? 0 : std::atol(one.c_str() + colon + 1);
            if (n <= 0) refuse(name);
            result[one.substr(0, colon)] = n;
        }
        return result;
    }
};

}  // namespace

ParsedSettings read_settings(const char* const* environment) {
    constexpr unsigned kMiB = 20;
    constexpr unsigned kKiB = 10;
    Reader reader(environment);
    Settings s;
    s.n_devices = static_cast<int>(reader.number("FAKECUDA_DEVICES", s.n_devices));
    s.memory_bytes = reader.bytes("FAKECUDA_MEMORY_MIB", s.memory_bytes, kMiB);
    s.context_bytes = reader.bytes("FAKECUDA_CONTEXT_MIB", s.context_bytes, kMiB);
    s.graph_node_bytes = reader.bytes("FAKECUDA_GRAPH_NODE_KIB", s.graph_node_bytes, kKiB);
    s.compute_capability = static_cast<int>(reader.number("FAKECUDA_CC", s.compute_capability));
    s.lockable_bytes = reader.bytes("FAKECUDA_LOCK_MIB", s.lockable_bytes, kMiB);
    s.read_only_locks = reader.number("FAKECUDA_READ_ONLY_LOCKS", 0) != 0;
    s.failing_calls = reader.calls("FAKECUDA_FAIL");
    s.check = reader.number("FAKECUDA_CHECK", 1) != 0;
    s.copy_us = reader.number("FAKECUDA_COPY_US", s.copy_us);
    s.report = reader.text("FAKECUDA_REPORT");
    return {s, reader.problem()};
}

}  // namespace pshard::fakecuda
