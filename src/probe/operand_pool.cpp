// How operands that no cache holds are kept ready.
//
// In:   a buffer type and a tensor type.
// Out:  a buffer full of valid blocks of that type; each operand gets its next stretch.
//
//     buffer   |template|template|template|template| ...        random weights, quantized once
//     place    [operand 0       ][operand 1       ] ...         each begins with a template
//                                                  `-> begins again when the buffer is full
//
// Quantizing takes long, so 32 rows are quantized once for each type, and copied until the buffer
// is full. Each tensor type takes over the buffer of its buffer type from the one before.
//
// Traps: a CPU's buffer type may repack weights. The template goes through a tensor of its own
// type, so that it is repacked, and the repacked bytes are what is copied; 32 rows are enough for
// every interleaving. Operands begin at multiples of the template, since blocks must not be cut.
#include "probe/operand_pool.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "ggml_kit/handles.h"

namespace pshard {

namespace {

constexpr Bytes kLeastWarm = 32 * kMiB;

constexpr std::int64_t kTemplateColumns = 4096;
constexpr std::int64_t kTemplateRows = 32;

bool is_cpu(ggml_backend_dev_t device) {
    return ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

std::vector<float> random_floats(std::size_t n) {
    std::mt19937 random(20240607);
    std::normal_distribution<float> normal(0.0F, 0.02F);
    std::vector<float> values(n);
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    return values;
}

std::vector<std::uint8_t> random_template(ggml_type type) {
    constexpr auto kElements = static_cast<std::size_t>(kTemplateColumns * kTemplateRows);
    static const std::vector<float> values = random_floats(kElements);
    static const std::vector<float> importance(kTemplateColumns, 1.0F);
    std::vector<std::uint8_t> bytes(ggml_row_size(type, kTemplateColumns) *
                                    std::size_t(kTemplateRows));
    if (type == GGML_TYPE_F32) {
        std::memcpy(bytes.data(), values.data(), bytes.size());
    } else {
        ggml_quantize_chunk(type,
                            values.data(),
                            bytes.data(),
                            0,
                            kTemplateRows,
                            kTemplateColumns,
                            importance.data());
    }
    return bytes;
}

void write_template(ggml_backend_buffer_t buffer,
                    ggml_type type,
                    const std::vector<std::uint8_t>& bytes) {
    const GgmlContext context(1);
    ggml_tensor* tensor = ggml_new_tensor_2d(context.get(), type, kTemplateColumns, kTemplateRows);
    ggml_backend_tensor_alloc(buffer, tensor, ggml_backend_buffer_get_base(buffer));
    ggml_backend_tensor_set(tensor, bytes.data(), 0, bytes.size());
}

void repeat_on_cpu(ggml_backend_buffer_t buffer, Bytes step, Bytes bytes) {
    auto* base = static_cast<std::uint8_t*>(ggml_backend_buffer_get_base(buffer));
    for (Bytes at = step; at + step <= bytes; at += step) std::memcpy(base + at, base, step);
}

void repeat_on_device(ggml_backend_buffer_t buffer,
                      const std::vector<std::uint8_t>& piece,
                      Bytes bytes) {
    const GgmlContext context(1);
    ggml_tensor* whole =
        ggml_new_tensor_1d(context.get(), GGML_TYPE_I8, static_cast<std::int64_t>(bytes));
    ggml_backend_tensor_alloc(buffer, whole, ggml_backend_buffer_get_base(buffer));
    for (Bytes at = 0; at + piece.size() <= bytes; at += piece.size()) {
        ggml_backend_tensor_set(whole, piece.data(), at, piece.size());
    }
}

}  // namespace

Result<ggml_backend_buffer_t> OperandPool::buffer_of(ggml_backend_buffer_type_t type) {
    const auto found = buffers_.find(type);
    if (found != buffers_.end()) return found->second.get();
    Result<BufferHandle> buffer = allocate(type, bytes_);
    if (!buffer) return buffer.error();
    ggml_backend_buffer_set_usage(buffer.value().get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    return buffers_.emplace(type, std::move(buffer).value()).first->second.get();
}

const std::vector<std::uint8_t>& OperandPool::template_of(ggml_type type) {
    const auto found = templates_.find(type);
    if (found != templates_.end()) return found->second;
    return templates_.emplace(type, random_template(type)).first->second;
}

Status OperandPool::fill(ggml_backend_buffer_type_t buffer_type, ggml_type type, Bytes wanted) {
    const Result<ggml_backend_buffer_t> buffer = buffer_of(buffer_type);
    if (!buffer) return buffer.error();
    const std::vector<std::uint8_t>& piece = template_of(type);
    const Bytes n_pieces = (wanted + piece.size() - 1) / piece.size();
    const Bytes bytes = std::min(bytes_, n_pieces * piece.size());
    if (filled_ == buffer.value() && filled_type_ == type && filled_bytes_ >= bytes) return Done{};
    if (is_cpu(device_)) {
        write_template(buffer.value(), type, piece);
        repeat_on_cpu(buffer.value(), piece.size(), bytes);
    } else {
        repeat_on_device(buffer.value(), piece, bytes);
    }
    filled_ = buffer.value();
    filled_type_ = type;
    filled_bytes_ = bytes;
    step_ = piece.size();
    next_ = 0;
    return Done{};
}

Result<ggml_backend_buffer_t> OperandPool::warm(Bytes bytes) {
    const Bytes there = warm_.empty() ? 0 : ggml_backend_buffer_get_size(warm_.back().get());
    if (!warm_.empty() && there >= bytes) return warm_.back().get();
    ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device_);
    Result<BufferHandle> buffer = allocate(type, std::max({bytes, 2 * there, kLeastWarm}));
    if (!buffer) {
        warm_.clear();
        buffer = allocate(type, bytes);
    }
    if (!buffer) return buffer.error();
    ggml_backend_buffer_clear(buffer.value().get(), 0);
    return warm_.emplace_back(std::move(buffer).value()).get();
}

bool OperandPool::place(ggml_tensor* tensor) {
    const Bytes needed =
        ggml_backend_buft_get_alloc_size(ggml_backend_buffer_get_type(filled_), tensor);
    if (needed > filled_bytes_) return false;
    if (next_ + needed > filled_bytes_) next_ = 0;
    auto* base = static_cast<std::uint8_t*>(ggml_backend_buffer_get_base(filled_));
    ggml_backend_tensor_alloc(filled_, tensor, base + next_);
    next_ += (needed + step_ - 1) / step_ * step_;
    return true;
}

ggml_backend_buffer_type_t weight_buffer_type(ggml_backend_dev_t device, ggml_tensor* op) {
    ggml_backend_buffer_type_t own = ggml_backend_dev_buffer_type(device);
    if (!is_cpu(device)) return own;
    for (ggml_backend_buffer_type_t layout : extra_layouts(device)) {
        if (computes_from(device, layout, *op)) return layout;
    }
    return own;
}

}  // namespace pshard
