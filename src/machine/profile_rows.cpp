#include "machine/profile_rows.h"

#include <fmt/format.h>

namespace pshard {

namespace {

constexpr int kMaxThreads = 1000000;

void read_rates(ColumnReader& reader, OpRow& row) {
    row.intensity = reader.rate("AI");
    row.gb_per_s = reader.rate("BW");
    row.gflops = reader.rate("GFLOP/s");
    row.ridge = reader.rate("Ridge");
}

void read_shape(ColumnReader& reader, OpRow& row) {
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

Result<CpuRow> parse_cpu_row(const TextLine& line) {
    ColumnReader reader(line);
    CpuRow result;
    result.row.op = reader.word("op_name");
    result.row.quant = reader.word("quant");
    result.n_threads = static_cast<int>(reader.count("threads", kMaxThreads));
    read_rates(reader, result.row);
    result.row.gflops_under_copies = known(reader.rate("Concurrent_GFLOP/s"));
    result.row.link_gb_per_s = known(reader.rate("PCIe_Concurrent_BW"));
    read_shape(reader, result.row);
    if (auto fault = reader.finish("a row of 17 columns")) return *fault;
    return result;
}

Result<OpRow> parse_gpu_row(const TextLine& line) {
    ColumnReader reader(line);
    OpRow row;
    row.op = reader.word("op_name");
    row.quant = reader.word("quant");
    read_rates(reader, row);
    read_shape(reader, row);
    if (auto fault = reader.finish("a row of 14 columns")) return *fault;
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
