#include "runtime/value_store.h"

#include <ggml-backend-impl.h>

#include <cstring>
#include <vector>

#include "runtime/host_buffer.h"

namespace pshard {
std::optional<ggml_tensor> ValueStore::in_arena(const ggml_tensor& tensor) {
    const HostBuffer* buffer = host_buffer_of(tensor);
    const PlannedModel* owner = buffer != nullptr ? at_.models.of_buffer(*buffer) : nullptr;
    if (owner == nullptr) return std::nullopt;
    const Ref* ref = owner->model.find(&root_of(tensor));
    if (ref == nullptr || ref->kind != Ref::Kind::State) return std::nullopt;
    const Bytes home = owner->residency.home(ref->index);
    if (home == kNoOffset) return std::nullopt;
    return placed(tensor, owner->arena(), home);
}

// Notes that the host writes a weight or a state: what was made of the old value is stale.
void ValueStore::touch(const ggml_tensor& tensor) {
    const HostBuffer* buffer = host_buffer_of(tensor);
    PlannedModel* owner = buffer != nullptr ? at_.models.of_buffer(*buffer) : nullptr;
    if (owner == nullptr) return;
    const Ref* ref = owner->model.find(&root_of(tensor));
    if (ref == nullptr) return;
    at_.runner.idle();
    if (ref->kind == Ref::Kind::State) owner->residency.mark_written(ref->index);
    if (ref->kind != Ref::Kind::Weight) return;
    at_.passes.clear();                   // what they have computed is in the arena
    owner->release(at_.executor.link());  // all of it: nobody does this while a model runs
    at_.cpu_weights.forget(&root_of(tensor));
}

void ValueStore::write(const ggml_tensor& tensor, const void* data, Bytes offset, Bytes bytes) {
    at_.runner.finish();
    at_.runner.drop_values(static_cast<const std::byte*>(tensor.data) + offset, bytes);
    touch(tensor);
    if (std::optional<ggml_tensor> there = in_arena(tensor)) {
        at_.executor.gpu().upload(*there, data, offset, bytes);
        at_.executor.gpu().synchronize();
        return;
    }
    const auto* from = static_cast<const std::byte*>(data);
    const auto take = [&from](std::byte* to, Bytes n) {
        std::memcpy(to, from, n);
        from += n;
    };
    at_.page_locks.visit(static_cast<std::byte*>(tensor.data) + offset, bytes, take);
}

void ValueStore::fill(const ggml_tensor& tensor, std::uint8_t value, Bytes offset, Bytes bytes) {
    std::optional<ggml_tensor> there = in_arena(tensor);
    if (there && there->buffer->iface.memset_tensor != nullptr) {
        touch(tensor);
        at_.runner.idle();
        ggml_backend_tensor_memset(&*there, value, offset, bytes);
        return;
    }
    const std::vector<std::uint8_t> data(bytes, value);
    write(tensor, data.data(), offset, bytes);
}

void ValueStore::read(const ggml_tensor& tensor, void* data, Bytes offset, Bytes bytes) {
    at_.runner.finish();
    Queue& gpu = at_.executor.gpu();
    const Bytes begin = (tensor.view_src != nullptr ? tensor.view_offs : 0) + offset;
    if (const Outlet* outlet = at_.runner.unfetched(tensor)) {
        if (outlet->span.device == nullptr) {
            std::memcpy(data, outlet->host_value + begin, bytes);
            return;
        }
        gpu.download(*outlet->span.device, data, begin, bytes);
        gpu.synchronize();
    } else if (const std::optional<ggml_tensor> there = in_arena(tensor)) {
        gpu.download(*there, data, offset, bytes);
        gpu.synchronize();
    } else {
        auto* to = static_cast<std::byte*>(data);
        const auto give = [&to](const std::byte* from, Bytes n) {
            std::memcpy(to, from, n);
            to += n;
        };
        at_.page_locks.visit(static_cast<const std::byte*>(tensor.data) + offset, bytes, give);
    }
}

void ValueStore::clear(HostBuffer& buffer, std::uint8_t value) {
    at_.runner.idle();
    for (Bytes done = 0; done < buffer.bytes();) {
        const PageLocks::Piece piece =
            at_.page_locks.piece(buffer.base() + done, buffer.bytes() - done);
        if (value == 0 && !piece.locked) {
            buffer.clear_to_zero(piece.data, piece.bytes);
        } else {
            std::memset(piece.data, value, piece.bytes);
        }
        done += piece.bytes;
    }
    PlannedModel* owner = at_.models.of_buffer(buffer);
    for (const ggml_tensor* tensor : buffer.tensors) {
        if (owner == nullptr) break;
        const Ref* ref = owner->model.find(tensor);
        if (ref == nullptr || ref->kind != Ref::Kind::State) continue;
        if (in_arena(*tensor)) fill(*tensor, value, 0, ggml_nbytes(tensor));
        if (value == 0) owner->residency.mark_zero(ref->index);
    }
}

}  // namespace pshard
