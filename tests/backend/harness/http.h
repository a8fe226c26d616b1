// A client for a server that listens on a socket file: no port to be found free, and no curl.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/result.h"

namespace pshard::backend_test {

struct HttpReply {
    int status = 0;
    std::string body{};
};

// One request and its whole reply. An empty `body`: GET, else POST of JSON. Fails if nobody listens
// or the reply is cut off.
Result<HttpReply> http_request(const std::string& socket_file,
                               const std::string& path,
                               const std::string& body = "");

// Asks by POST as the above does and, once so many bytes of the reply have come, hangs up without
// waiting for the rest. Fails if nobody listens.
Status http_hang_up(const std::string& socket_file,
                    const std::string& path,
                    const std::string& body,
                    std::size_t after_bytes);

// The process that listens; 0: nobody does.
pid_t http_server(const std::string& socket_file);

}  // namespace pshard::backend_test
