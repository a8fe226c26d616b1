// A client for a server that listens on a socket file: no port to be found free, and no curl.
#pragma once

#include <string>

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

}  // namespace pshard::backend_test
