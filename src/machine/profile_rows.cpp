#include "machine/profile_rows.h"

#include <charconv>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "machine/profile_keys.h"

namespace pshard {

namespace {

// Takes the columns of a row one by one; the first fault is kept and the rest read as nothing.
class RowReader {
public:
    explicit RowReader(const TextLine& line) : line_(line) {}

    std::string word(std::string_view name) { return std::string(next(name, "a word")); }

    double rate(std::string_view name) {
        const std::string_view token = next(name, "a number that is not negative");
        const auto value = parse_number(token);
        if (!fault_ && (!value || *value < 0)) refuse(token, name, "a number that is not negative");
        return value.value_or(0);
    }

    std::int64_t count(std::string_view name) {
        const std::string_view token = next(name, "a whole number that is not negative");
        std::int64_t value = 0;
        const char* end = token.data() + token.size();
        const auto [at, error] = std::from_chars(token.data(), end, value);
        if (!fault_ && (error != std::errc{} || at != end || value < 0)) {
            refuse(token, name, "a whole number that is not negative");
        }
        return value;
    }

    // The fault, if there was one or if columns are left over.
    std::optional<Error> finish(int n_columns) {
        skip_spaces();
        if (!fault_ && at_ < line_.text.size()) {
            fault_ = error_at(
                line_, at_, fmt::format("expected the end of a row of {} columns", n_columns));
        }
        return fault_;
    }

private:
    void skip_spaces() {
        while (at_ < line_.text.size() && (line_.text[at_] == ' ' || line_.text[at_] == '\t'))
            at_++;
    }

    std::string_view next(std::string_view name, std::string_view expected) {
        if (fault_) return {};
        skip_spaces();
        const std::size_t begin = at_;
        while (at_ < line_.text.size() && line_.text[at_] != ' ' && line_.text[at_] != '\t') at_++;
        const std::string_view token = line_.text.substr(begin, at_ - begin);
        if (token.empty()) {
            fault_ = error_at(
                line_,
                begin,
                fmt::format("expected {} ({}), found the end of the line", name, expected));
        }
        return token;
    }

    void refuse(std::string_view token, std::string_view name, std::string_view expected) {
        fault_ = error_at(line_,
                          static_cast<std::size_t>(token.data() - line_.text.data()),
                          fmt::format("expected {} ({}), found \"{}\"", name, expected, token));
    }

    const TextLine& line_;
    std::size_t at_ = 0;
    std::optional<Error> fault_;
};

void read_rates(RowReader& reader, OpRow& row) {
    row.intensity = reader.rate("AI");
    row.gb_per_s = reader.rate("BW");
    row.gflops = reader.rate("GFLOP/s");
    row.ridge = reader.rate("Ridge");
}

void read_shape(RowReader& reader, OpRow& row) {
    row.n = reader.count("N");
    row.k = reader.count("K");
    row.batch = reader.count("B");
    row.n_tokens = reader.count("n_tokens");
    row.ctx_len = reader.count("ctx_len");
    row.n_heads = reader.count("n_heads");
    row.head_dim = reader.count("head_dim");
    row.n_elements = reader.count("n_elements");
}

std::optional<double> known(double rate) {
    return rate > 0 ? std::optional<double>(rate) : std::nullopt;
}

}  // namespace

std::vector<TextLine> lines_of(std::string_view text, const std::string& file) {
    std::vector<TextLine> lines;
    int number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back({line, Place{file, ++number, 0}});
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

Error error_at(const TextLine& line, std::size_t at, std::string message) {
    Place place = line.place;
    place.column = static_cast<int>(at) + 1;
    return {std::move(message), place};
}

Result<CpuRow> parse_cpu_row(const TextLine& line) {
    RowReader reader(line);
    CpuRow result;
    result.row.op = reader.word("op_name");
    result.row.quant = reader.word("quant");
    result.n_threads = static_cast<int>(reader.count("threads"));
    read_rates(reader, result.row);
    result.row.gflops_under_copies = known(reader.rate("Concurrent_GFLOP/s"));
    result.row.link_gb_per_s = known(reader.rate("PCIe_Concurrent_BW"));
    read_shape(reader, result.row);
    if (auto fault = reader.finish(17)) return *fault;
    return result;
}

Result<OpRow> parse_gpu_row(const TextLine& line) {
    RowReader reader(line);
    OpRow row;
    row.op = reader.word("op_name");
    row.quant = reader.word("quant");
    read_rates(reader, row);
    read_shape(reader, row);
    if (auto fault = reader.finish(14)) return *fault;
    return row;
}

Result<std::optional<double>> header_number(const TextLine& line, std::string_view key) {
    const std::size_t found = line.text.find(key);
    if (found == std::string_view::npos) return std::optional<double>();
    const std::size_t begin = found + key.size();
    const std::size_t end = line.text.find_first_of(" ,)%", begin);
    const auto value = parse_number(line.text.substr(begin, end - begin));
    if (!value || *value < 0) {
        return error_at(line, begin, fmt::format("expected a number after {}", key));
    }
    return known(*value);
}

}  // namespace pshard
