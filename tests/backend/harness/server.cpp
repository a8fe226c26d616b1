#include "backend/harness/server.h"

#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "backend/harness/http.h"
#include "backend/harness/projector.h"

namespace pshard::backend_test {
namespace {

using nlohmann::json;

constexpr int kOk = 200;
constexpr const char* kPicture = "<picture>";  // where one goes in a prompt

ChildProgram listening(ChildProgram program, const test::TempFolder& folder) {
    program.with({"--host", folder.file("s.sock"), "--slot-save-path", folder.file("")});
    program.environment["LLAMA_MEDIA_MARKER"] = kPicture;
    return program;
}

// Words that do not repeat: on repeated ones a random model soon says the same whatever went wrong.
std::string words(int n) {
    std::string text = "once";
    for (int i = 1; i < n; ++i) text += fmt::format(" {}", i * 7919 % 1009);
    return text;
}

json question(const json& prompt, int n_predict) {
    return {{"prompt", prompt},
            {"n_predict", n_predict},
            {"temperature", 0},
            {"cache_prompt", true},
            {"ignore_eos", true},
            {"return_tokens", true},
            {"n_probs", 1}};
}

json at_slot(json body, int slot) {
    body["id_slot"] = slot;
    return body;
}

// An answer's tokens, and the logarithms of the probabilities of those that are text.
std::string line_of(const std::string& name, const json& answer) {
    const json& timings = answer.at("timings");
    std::string line = fmt::format("{}: {} cached, {} of {} drafted,",
                                   name,
                                   timings.at("cache_n").get<int>(),
                                   timings.value("draft_n_accepted", 0),
                                   timings.value("draft_n", 0));
    for (const json& token : answer.at("tokens")) line += fmt::format(" {}", token.get<int>());
    for (const json& token : answer.at("completion_probabilities")) {
        line += fmt::format(" {}", token.at("logprob").get<double>());
    }
    return line;
}

// Asks one thing after another; remembers the first failure and asks no more.
class Asking {
public:
    explicit Asking(Server& server) : server_(server) {}

    void ask(const std::string& name, const json& body) {
        if (failed_) return;
        const Result<json> reply = server_.post("/completion", body);
        if (!reply) return fail(reply.error());
        if (reply.value().is_object()) return lines_.push_back(line_of(name, reply.value()));
        for (const json& answer : reply.value()) lines_.push_back(line_of(name, answer));
    }

    void slot(int id, const std::string& action) {
        if (failed_) return;
        const json body = {{"filename", fmt::format("slot{}.bin", id)}};
        const Result<json> reply =
            server_.post(fmt::format("/slots/{}?action={}", id, action), body);
        if (!reply) return fail(reply.error());
        lines_.push_back(fmt::format("{} slot {}: {} saved, {} restored, {} erased",
                                     action,
                                     id,
                                     reply.value().value("n_saved", 0),
                                     reply.value().value("n_restored", 0),
                                     reply.value().value("n_erased", 0)));
    }

    Result<Talk> told() {
        if (failed_) return *failed_;
        return std::move(lines_);
    }

private:
    void fail(const Error& error) { failed_ = error; }

    Server& server_;
    Talk lines_{};
    std::optional<Error> failed_{};
};

}  // namespace

Server::Server(ChildProgram program)
    : program_(listening(std::move(program), folder_)), child_(program_) {}

Status Server::wait_until_ready() {
    for (;;) {
        const Result<HttpReply> reply = http_request(folder_.file("s.sock"), "/health");
        if (reply && reply.value().status == kOk) return Done{};
        if (child_.has_ended()) return Error{child_.wait().text(), {}};
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

Result<json> Server::post(const std::string& path, const json& body) {
    const Result<HttpReply> reply = http_request(folder_.file("s.sock"), path, body.dump());
    if (!reply) {
        return Error{fmt::format("{}; {}", reply.error().text(), child_.end(SIGKILL).text()), {}};
    }
    if (reply.value().status != kOk) {
        return Error{fmt::format("{}: {} {}", path, reply.value().status, reply.value().body), {}};
    }
    return json::parse(reply.value().body);
}

// llama-server v0.5.0 takes a lock in its signal handler that its main thread holds at times while
// it is not idle, and then never ends: seen once, right behind an answer.
const ChildResult& Server::stop() {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return child_.end(SIGTERM);
}

Result<Talk> talk(Server& server) {
    Asking asking(server);
    asking.ask("short", at_slot(question("hello the world", 24), 0));
    asking.ask("long", at_slot(question(words(60), 8), 1));
    asking.ask("longer", at_slot(question(words(60) + " and so on", 8), 1));
    asking.ask("short again", at_slot(question("hello the world", 8), 0));
    const json four = {words(3), words(40), "a dog", words(11)};
    asking.ask("four", question(four, 16));
    asking.ask("before", at_slot(question(words(30), 8), 2));
    asking.slot(2, "save");
    asking.slot(2, "erase");
    asking.slot(2, "restore");
    asking.ask("after", at_slot(question(words(30) + " then", 8), 2));
    return asking.told();
}

Result<Talk> crowded_talk(Server& server) {
    constexpr int kClients = 4;
    std::vector<Result<Talk>> told(kClients, Talk{});
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) {
        clients.emplace_back([&server, &told, i] {
            Asking asking(server);
            asking.ask(fmt::format("client {}", i), at_slot(question(words(5 + 9 * i), 12), i));
            asking.ask(fmt::format("client {}", i), at_slot(question(words(30 - 4 * i), 12), i));
            told[static_cast<std::size_t>(i)] = asking.told();
        });
    }
    for (std::thread& client : clients) client.join();
    Talk all;
    for (const Result<Talk>& talk : told) {
        if (!talk) return talk.error();
        all.insert(all.end(), talk.value().begin(), talk.value().end());
    }
    return all;
}

Result<Talk> endless_talk(Server& server) {
    Asking asking(server);
    asking.ask("four", question({words(3), words(40), "a dog", words(11)}, 560));
    return asking.told();
}

Result<Talk> broken_talk(Server& server) {
    Result<Talk> before = talk(server);
    if (!before) return before;
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    Result<Talk> after = talk(server);
    if (!after) return after;
    Talk both = before.value();
    both.insert(both.end(), after.value().begin(), after.value().end());
    return both;
}

Result<Talk> seeing_talk(Server& server) {
    const std::string look = fmt::format("look at {} and", kPicture);
    const auto seen = [](const std::string& text, const json& pictures) {
        return json{{"prompt_string", text}, {"multimodal_data", pictures}};
    };
    const json a = {picture(1)};
    const json b = {picture(2)};
    const json both = {picture(1), picture(2)};
    Asking asking(server);
    asking.ask("picture", at_slot(question(seen(look, a), 12), 0));
    asking.ask("picture", at_slot(question(seen(look, b), 12), 1));
    asking.ask("two pictures", at_slot(question(seen(words(40) + look + look, both), 12), 2));
    asking.ask("picture again", at_slot(question(seen(look + " then", a), 12), 0));
    asking.ask("text", at_slot(question(words(20), 8), 1));
    return asking.told();
}

Result<Talk> drafted_talk(Server& server) {
    Asking asking(server);
    asking.ask("short", at_slot(question("hello the world", 32), 0));
    asking.ask("long", at_slot(question(words(40), 24), 1));
    asking.ask("two", question({words(9), words(20)}, 24));
    return asking.told();
}

}  // namespace pshard::backend_test
