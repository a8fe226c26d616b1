#include "backend/harness/http.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

namespace pshard::backend_test {
namespace {

class Socket {
public:
    explicit Socket(const std::string& file) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        PSHARD_CHECK(file.size() < sizeof address.sun_path);
        std::memcpy(address.sun_path, file.c_str(), file.size());
        const auto* any = reinterpret_cast<const sockaddr*>(&address);
        connected_ = connect(fd_, any, sizeof address) == 0;
    }

    ~Socket() { close(fd_); }

    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }

    [[nodiscard]] bool send_all(const std::string& text) const {
        for (std::size_t sent = 0; sent < text.size();) {
            const ssize_t n = send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) return false;
            sent += static_cast<std::size_t>(n);
        }
        return true;
    }

    // Until the other side closes, or there is as much as is wanted.
    [[nodiscard]] std::string receive(std::size_t wanted = std::string::npos) const {
        std::string text;
        std::array<char, 1U << 14U> buffer{};
        while (text.size() < wanted) {
            const ssize_t n = read(fd_, buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return text;
            text.append(buffer.data(), static_cast<std::size_t>(n));
        }
        return text;
    }

    [[nodiscard]] pid_t other_side() const {
        ucred process{};
        socklen_t size = sizeof process;
        return getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &process, &size) == 0 ? process.pid : 0;
    }

private:
    int fd_;
    bool connected_ = false;
};

// The number that follows `words` in `text`; -1: there is none.
long number_after(const std::string& text, const std::string& words) {
    const std::size_t at = text.find(words);
    if (at == std::string::npos) return -1;
    long number = -1;
    std::from_chars(text.data() + at + words.size(), text.data() + text.size(), number);
    return number;
}

std::string request_of(const std::string& path, const std::string& body) {
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        body.empty() ? "GET" : "POST",
        path,
        body.size(),
        body);
}

Error nobody_listens(const std::string& socket_file) {
    return Error{fmt::format("nobody listens on {}", socket_file), {}};
}

}  // namespace

Result<HttpReply> http_request(const std::string& socket_file,
                               const std::string& path,
                               const std::string& body) {
    const Socket socket(socket_file);
    if (!socket.connected()) return nobody_listens(socket_file);
    if (!socket.send_all(request_of(path, body)))
        return Error{fmt::format("{}: it hung up", path), {}};
    const std::string text = socket.receive();
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) return Error{fmt::format("{}: no reply", path), {}};
    const std::string head = text.substr(0, end);
    HttpReply reply{static_cast<int>(number_after(head, "HTTP/1.1 ")), text.substr(end + 4)};
    if (number_after(head, "Content-Length: ") != static_cast<long>(reply.body.size())) {
        return Error{fmt::format("{}: the reply was cut off: {}", path, text), {}};
    }
    return reply;
}

Status http_hang_up(const std::string& socket_file,
                    const std::string& path,
                    const std::string& body,
                    std::size_t after_bytes) {
    const Socket socket(socket_file);
    if (!socket.connected()) return nobody_listens(socket_file);
    if (!socket.send_all(request_of(path, body)))
        return Error{fmt::format("{}: it hung up", path), {}};
    (void)socket.receive(after_bytes);
    return Done{};
}

pid_t http_server(const std::string& socket_file) {
    const Socket socket(socket_file);
    return socket.connected() ? socket.other_side() : 0;
}

}  // namespace pshard::backend_test
