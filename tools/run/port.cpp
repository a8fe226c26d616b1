// Finds out, before a minute of measuring, whether llama-server can listen where it was told to.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/text.h"
#include "run/program.h"

namespace pshard::tool {
namespace {

constexpr std::string_view kDefaultHost = "127.0.0.1";  // llama-server's
constexpr std::string_view kDefaultPort = "8080";

// The last value of a flag, as llama.cpp takes it; else the variable's; else `otherwise`.
std::string setting(const std::vector<std::string>& arguments,
                    const std::string& flag,
                    const std::string& variable,
                    std::string_view otherwise) {
    std::string value = variable.empty() ? std::string(otherwise) : variable;
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i) {
        if (arguments[i] == flag) value = arguments[i + 1];
    }
    return value;
}

bool is_taken(const in_addr& address, std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr = address;
    name.sin_port = htons(port);
    const int bound = bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name));
    const bool taken = bound != 0 && errno == EADDRINUSE;
    close(fd);
    return taken;
}

}  // namespace

Status check_port(const HostProgram& program,
                  const std::vector<std::string>& arguments,
                  const Variables& environment) {
    if (program.kind != ProgramKind::Server) return Done{};
    const bool shared =
        std::find(arguments.begin(), arguments.end(), "--reuse-port") != arguments.end();
    if (shared) return Done{};
    const std::string host =
        setting(arguments, "--host", value_of(environment, "LLAMA_ARG_HOST"), kDefaultHost);
    const std::string text =
        setting(arguments, "--port", value_of(environment, "LLAMA_ARG_PORT"), kDefaultPort);
    const std::optional<std::uint16_t> port = number_of<std::uint16_t>(text);
    in_addr address{};
    // llama-server judges names, sockets of files, IPv6 and lists itself.
    const bool plain = inet_pton(AF_INET, host.c_str(), &address) == 1;
    if (!port || *port == 0 || !plain || !is_taken(address, *port)) return Done{};
    return Error{fmt::format("port {} of {} is in use: end the program that has it, or give "
                             "llama-server another --port",
                             *port,
                             host),
                 {}};
}

}  // namespace pshard::tool
