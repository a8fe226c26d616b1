#include "backend/harness/soak.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/harness/http.h"

namespace pshard::backend_test {
namespace {

using nlohmann::json;

constexpr int kSlots = 4;

std::string socket_of(const Server& server) {
    const std::vector<std::string>& command = server.program().command;
    const auto flag = std::ranges::find(command, "--host");
    PSHARD_CHECK(flag != command.end());
    return *std::next(flag);
}

double resident_mib(pid_t process) {
    std::ifstream status(fmt::format("/proc/{}/status", process));
    const std::string key = "VmRSS:";
    for (std::string word; status >> word;) {
        if (word != key) continue;
        double kib = 0;
        status >> kib;
        return kib / 1024;
    }
    return 0;
}

int n_descriptors(pid_t process) {
    std::error_code gone;
    const std::filesystem::directory_iterator files(fmt::format("/proc/{}/fd", process), gone);
    return static_cast<int>(std::distance(begin(files), end(files)));
}

// Connections end a moment after their clients: those that are left after five seconds stay.
Footprint footprint_of(pid_t process, int usual_descriptors) {
    constexpr int kLooks = 50;
    for (int i = 0; i < kLooks && n_descriptors(process) > usual_descriptors; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return {resident_mib(process), n_descriptors(process)};
}

// Clients of all slots that ask for more than a slot holds, and go.
Status hang_up(const std::string& socket_file) {
    constexpr std::size_t kSomeTokens = 2000;  // bytes
    for (int slot = 0; slot < kSlots; ++slot) {
        const json body = {{"prompt", fmt::format("slot {} and {}", slot, std::string(300, 'x'))},
                           {"n_predict", 4000},
                           {"temperature", 0},
                           {"ignore_eos", true},
                           {"stream", true},
                           {"id_slot", slot}};
        const Status gone =
            http_hang_up(socket_file, "/completion", body.dump(), slot % 2 == 0 ? 0 : kSomeTokens);
        if (!gone) return gone;
    }
    return Done{};
}

// What a slot computes is ended first.
Status empty_slots(Server& server) {
    for (int slot = 0; slot < kSlots; ++slot) {
        const Result<json> reply =
            server.post(fmt::format("/slots/{}?action=erase", slot), json::object());
        if (!reply) return reply.error();
    }
    return Done{};
}

Result<Talk> round(Server& server) {
    if (const Status gone = hang_up(socket_of(server)); !gone) return gone.error();
    Talk all;
    for (const Talker talker : {talk, endless_talk}) {
        if (const Status empty = empty_slots(server); !empty) return empty.error();
        const Result<Talk> told = talker(server);
        if (!told) return told.error();
        all.insert(all.end(), told.value().begin(), told.value().end());
    }
    return all;
}

void compare(Soak& soak, const Talk& said) {
    if (said == soak.said) return;
    ++soak.n_different;
    if (!soak.difference.empty()) return;
    const auto [a, b] = std::ranges::mismatch(soak.said, said);
    soak.difference =
        fmt::format("{}\n{}", a == soak.said.end() ? "" : *a, b == said.end() ? "" : *b);
}

double median_mib(std::vector<Footprint> footprints) {
    std::ranges::sort(footprints, {}, &Footprint::resident_mib);
    return footprints[footprints.size() / 2].resident_mib;
}

}  // namespace

double Soak::grown_mib() const {
    const auto quarter = static_cast<std::ptrdiff_t>(footprints.size() / 4);
    constexpr int kLeast = 4;
    if (quarter < kLeast) return 0;
    const auto second = footprints.begin() + quarter;
    return median_mib({footprints.end() - quarter, footprints.end()}) -
           median_mib({second, second + quarter});
}

int Soak::more_descriptors() const {
    return footprints.empty() ? 0
                              : footprints.back().n_descriptors - footprints.front().n_descriptors;
}

std::string Soak::text() const {
    if (footprints.empty()) return "no round";
    const auto& [first, last] = std::pair(footprints.front(), footprints.back());
    return fmt::format(
        "{} rounds, {} requests, {} hung up, {} rounds that differ, {:.1f} -> {:.1f} MiB, "
        "grown {:.2f}, {} -> {} descriptors",
        n_rounds,
        n_requests,
        n_hung_up,
        n_different,
        first.resident_mib,
        last.resident_mib,
        grown_mib(),
        first.n_descriptors,
        last.n_descriptors);
}

std::vector<std::string> soaked_flags() {
    return {"-c",
            "2048",
            "-np",
            std::to_string(kSlots),
            "-b",
            "128",
            "-ub",
            "32",
            "--context-shift",
            "--cache-ram",
            "0"};
}

Result<Soak> soak(Server& server, const std::function<bool(int n_rounds)>& goes_on) {
    if (const Status ready = server.wait_until_ready(); !ready) return ready.error();
    const pid_t process = http_server(socket_of(server));
    Soak soak;
    while (goes_on(soak.n_rounds)) {
        const Result<Talk> said = round(server);
        if (!said) return said.error();
        if (soak.n_rounds++ == 0) soak.said = said.value();
        compare(soak, said.value());
        soak.n_requests += static_cast<int>(said.value().size()) + 2 * kSlots;
        soak.n_hung_up += kSlots;
        const int usual = soak.footprints.empty() ? 0 : soak.footprints.front().n_descriptors;
        soak.footprints.push_back(footprint_of(process, usual));
    }
    return soak;
}

}  // namespace pshard::backend_test
