// How a model file becomes an inventory.
//
// In:   a request: a model file, a context, the tiers, a device.
// Out:  weights, states and the graph of each tier; or the reason why llama.cpp refused.
//
//     files -> headers -> identity: names, counts of layers and experts
//                 `-> slim copy -> llama.cpp, no_alloc, on the virtual device
//                                    |
//                     weights <------+   the model's tensors, in the order of the files
//                     states  <------+   what the context places on the device besides
//                     graphs  <------'   llama_graph_reserve for each tier -> graph_reader
//
// llama.cpp is asked for everything, so nothing here knows an architecture. Weights and states are
// put into a TensorIndex by pointer, and the graph reader finds them there when a node reads them.
//
// Traps:
// * No graph need read a state. llama_get_memory_breakdown shows them all: it makes llama.cpp
//   measure every tensor of the context.
// * A context reserves no graph for fewer sequences than its cache has streams. A tier with fewer
//   gets a narrow context of its own; the states of that one are other tensors in the same order,
//   and stand for the same states.
// * A tied head is a second tensor named "token_embd.weight", which lies on the device.
// * llama.cpp may throw, and a failed assertion of it is thrown too (log_capture.h).
#include "capture/capture.h"

#include <fmt/format.h>
#include <ggml-backend.h>
#include <ggml.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/counted.h"
#include "capture/gguf_header.h"
#include "capture/graph_reader.h"
#include "capture/llama_session.h"
#include "capture/log_capture.h"
#include "capture/plain_words.h"
#include "capture/slim_model.h"
#include "capture/tensor_facts.h"
#include "ggml_kit/border.h"
#include "inventory/batch_sequences.h"
#include "ops/op_table.h"

namespace pshard {
namespace {

// Tokens that a sliding window looks back; 0: no layer has one. llama.cpp does not tell that of
// deepseek4, whose caches cannot be rolled back; they grow with the ubatch all the same.
int window_of(const llama_model& model) {
    constexpr const char* kUntold = "deepseek4.attention.sliding_window";
    std::array<char, 32> text{};
    const int told = llama_model_n_swa(&model);
    if (told > 0 || llama_model_meta_val_str(&model, kUntold, text.data(), text.size()) < 0) {
        return told;
    }
    return std::atoi(text.data());
}

class Capture {
public:
    Capture(const CaptureRequest& request,
            std::shared_ptr<const DevicePolicy> policy,
            Inventory identity)
        : request_(request),
          policy_(std::move(policy)),
          device_({.policy = policy_}),
          inventory_(std::move(identity)) {
        inventory_.context = request.context;
        inventory_.device = policy_->model();
    }

    Status run(const std::vector<GgufHeader>& files,
               const std::vector<std::string>& paths,
               const llama_context_params& params) {
        model_ = load_without_weights(paths, device_, {.load_mtp = request_.load_mtp});
        if (!model_) return Error{"llama.cpp could not load the model", {}};
        context_ = make_context(params);
        if (!context_) {
            return Error{fmt::format("llama.cpp could not make a context of {} of the model",
                                     counted(params.n_ctx, "token")),
                         {}};
        }
        add_weights(files);
        inventory_.n_swa = window_of(*model_);
        add_states();
        Status status = add_graphs(params);
        resolve();
        return status;
    }

    Inventory take() { return std::move(inventory_); }

private:
    // Makes a context, and has llama.cpp measure its tensors, so that the device sees every one of
    // them. nullptr if llama.cpp refuses.
    ContextPtr make_context(const llama_context_params& params) {
        ContextPtr context(llama_init_from_model(model_.get(), params));
        if (context) llama_get_memory_breakdown(context.get());
        return context;
    }

    [[nodiscard]] bool is_on_device(const ggml_tensor* tensor) {
        return ggml_backend_buffer_get_type(tensor->buffer) == device_.buffer_type();
    }

    // The model's tensors in the order of its files; a tied head follows the tensor that it is tied
    // to. (llama.cpp groups tensors by buffer, so its own order depends on what the device
    // supports.)
    NamedTensors tensors_in_file_order(const std::vector<GgufHeader>& files) {
        std::unordered_map<std::string_view, std::size_t> positions;
        for (const GgufHeader& file : files) {
            for (const GgufTensor& tensor : file.tensors) {
                positions.emplace(tensor.name, positions.size());
            }
        }
        NamedTensors tensors = tensors_of(model_.get());
        std::stable_sort(tensors.begin(), tensors.end(), [&](const auto& a, const auto& b) {
            return std::pair(positions[a.first], is_on_device(a.second)) <
                   std::pair(positions[b.first], is_on_device(b.second));
        });
        return tensors;
    }

    void add_weights(const std::vector<GgufHeader>& files) {
        for (const auto& [name, tensor] : tensors_in_file_order(files)) {
            const bool on_device = is_on_device(tensor);
            const bool tied_head = on_device && name == "token_embd.weight";
            inventory_.head_is_tied = inventory_.head_is_tied || tied_head;
            Weight weight = weight_facts(*tensor, tied_head ? "output.weight" : name, *policy_);
            if (!on_device) weight.side = Side::Input;
            known_.add(tensor, {Ref::Kind::Weight, static_cast<int>(inventory_.weights.size())});
            inventory_.weights.push_back(std::move(weight));
        }
        count_layers();
    }

    // Counts the layers that have weights: a backend that runs the plan knows no others.
    void count_layers() {
        const int in_file = inventory_.n_layers;
        inventory_.n_layers = 0;
        for (const Weight& weight : inventory_.weights) {
            inventory_.n_layers = std::max(inventory_.n_layers, weight.layer + 1);
        }
        inventory_.n_layers_unloaded = in_file - inventory_.n_layers;
    }

    void add_states() {
        for (const ggml_tensor* tensor : device_.tensors()) {
            if (known_.find(tensor) != nullptr) continue;
            known_.add(tensor, {Ref::Kind::State, static_cast<int>(inventory_.states.size())});
            inventory_.states.push_back(state_facts(*tensor, *policy_));
        }
        inventory_.has_recurrent =
            std::ranges::count(inventory_.states, StateKind::Recurrent, &State::kind) > 0;
    }

    // The context whose cache has `n_seqs` streams: llama.cpp reserves no graph for fewer sequences
    // than that. Each stream has as many cells as one of the run's own context; the states are the
    // same, in the same order.
    Result<llama_context*> context_of(std::uint32_t n_seqs, llama_context_params params) {
        if (params.kv_unified || n_seqs == params.n_seq_max) return context_.get();
        ContextPtr& narrow = narrow_[n_seqs];
        if (narrow) return narrow.get();
        params.n_seq_max = n_seqs;
        params.n_ctx = n_seqs * llama_n_ctx_seq(context_.get());
        const std::size_t n_before = device_.tensors().size();
        narrow = make_context(params);
        const std::size_t n_states = device_.tensors().size() - n_before;
        if (!narrow || n_states != inventory_.states.size()) {
            return Error{fmt::format("llama.cpp could not make the context of {} of {}",
                                     n_seqs,
                                     counted(request_.context.n_seq_max, "sequence")),
                         {}};
        }
        for (std::size_t i = 0; i < n_states; ++i) {
            known_.add(device_.tensors()[n_before + i], {Ref::Kind::State, static_cast<int>(i)});
        }
        return narrow.get();
    }

    Status add_graphs(const llama_context_params& params) {
        for (const std::uint32_t tier : request_.tiers) {
            const std::uint32_t n_seqs =
                sequences_of_tier(request_.context, tier, inventory_.has_recurrent);
            const std::uint32_t n_outputs = output_rows(request_.context, tier);
            const Result<llama_context*> context = context_of(n_seqs, params);
            if (!context) return context.error();
            const ggml_cgraph* reserved =
                llama_graph_reserve(context.value(), tier, n_seqs, n_outputs);
            if (reserved == nullptr) {
                return Error{fmt::format("llama.cpp could not build the graph of {}",
                                         counted(tier, "token")),
                             {}};
            }
            Graph graph = read_graph(*reserved, {known_, inventory_, *policy_});
            graph.n_tokens = tier;
            graph.n_seqs = n_seqs;
            graph.n_outputs = n_outputs;
            inventory_.graphs.push_back(std::move(graph));
            if (request_.on_progress) {
                request_.on_progress(inventory_.graphs.size(), request_.tiers.size());
            }
        }
        return Done{};
    }

    // Sets what only the whole capture shows: whether -fa auto came to flash attention.
    void resolve() {
        const auto attends = [](const Node& node) {
            return op_rule(node.op).family == OpFamily::Attention;
        };
        const FlashAttention asked = inventory_.context.flash_attention;
        const bool came_to_it = std::ranges::any_of(inventory_.graphs, [&](const Graph& graph) {
            return std::ranges::any_of(graph.nodes, attends);
        });
        inventory_.flash_attention =
            asked == FlashAttention::On || (asked == FlashAttention::Auto && came_to_it);
    }

    const CaptureRequest& request_;
    std::shared_ptr<const DevicePolicy> policy_;
    VirtualDevice device_;  // must outlive model and contexts
    ModelPtr model_;
    ContextPtr context_;
    std::map<std::uint32_t, ContextPtr> narrow_;  // by sequences, for tiers that have fewer
    TensorIndex known_;                           // weights and states
    Inventory inventory_;
};

Status check_tiers(const CaptureRequest& request) {
    const std::uint32_t most = std::min(request.context.n_ubatch, request.context.n_ctx);
    std::uint32_t last = 0;
    for (const std::uint32_t tier : request.tiers) {
        if (tier <= last) {
            return Error{
                fmt::format("tier {} does not follow {}: tiers must ascend from 1", tier, last),
                {}};
        }
        if (tier > most) {
            return Error{fmt::format("a tier of {} does not fit a ubatch of {} (-ub) in a "
                                     "context of {} (-c)",
                                     counted(tier, "token"),
                                     request.context.n_ubatch,
                                     request.context.n_ctx),
                         {}};
        }
        last = tier;
    }
    return Done{};
}

// The error with llama.cpp's complaint behind it. The complaint names the slim copies that were
// loaded; `path` takes their place.
Error explained(const Error& error,
                std::string complaint,
                const std::string& path,
                const std::vector<std::string>& loaded_paths) {
    for (const std::string& loaded : loaded_paths) {
        for (std::size_t at = complaint.find(loaded); at != std::string::npos;
             at = complaint.find(loaded)) {
            complaint.replace(at, loaded.size(), path);
        }
    }
    if (complaint.find("std::bad_alloc") != std::string::npos) {
        complaint = "there is not enough memory for it; give a smaller -c";
    }
    const std::string reason = complaint.empty() ? "" : fmt::format(": {}", complaint);
    return Error{error.message + reason, {path}};
}

Status run_guarded(Capture& capture,
                   const std::vector<GgufHeader>& files,
                   const std::vector<std::string>& paths,
                   const llama_context_params& params) {
    forget_thrown();
    Status status = Done{};
    try {
        status = capture.run(files, paths, params);
    } catch (const std::exception& error) {
        return Error{
            fmt::format("llama.cpp gave up on the model ({})", in_plain_words(error.what())), {}};
    }
    // What a hook of the virtual device threw: what llama.cpp made of its refusal is not the model.
    const std::string thrown = thrown_at_border();
    if (thrown.empty()) return status;
    return Error{fmt::format("llama.cpp gave up on the model ({})", thrown), {}};
}

Result<Inventory> capture_files(const CaptureRequest& request,
                                std::shared_ptr<const DevicePolicy> policy,
                                const std::vector<GgufHeader>& files,
                                const std::vector<std::string>& paths) {
    Result<Inventory> identity = identify_model(files);
    if (!identity) return identity.error();
    Result<llama_context_params> params = context_params(request.context);
    if (!params) return params.error();
    params.value().n_rs_seq = request.n_rs_seq;
    LogCapture log;
    if (Status loaded = ensure_cpu_backend(request.backend_dir); !loaded) return loaded.error();
    if (policy == nullptr) {
        Result<std::unique_ptr<DevicePolicy>> named = make_device_policy(request.device);
        if (!named) return named.error();
        policy = std::move(named).value();
    }
    Capture capture(request, std::move(policy), std::move(identity).value());
    if (Status status = run_guarded(capture, files, paths, params.value()); !status) {
        return explained(status.error(), log.complaint(), request.model_path, paths);
    }
    return capture.take();
}

std::vector<std::string> paths_of(const std::vector<GgufHeader>& files) {
    std::vector<std::string> paths;
    for (const GgufHeader& file : files) paths.push_back(file.path);
    return paths;
}

}  // namespace

Result<Inventory> capture_inventory(const CaptureRequest& request,
                                    std::shared_ptr<const DevicePolicy> policy) {
    if (Status tiers = check_tiers(request); !tiers) return tiers.error();
    const Result<std::vector<GgufHeader>> files = open_model_files(request.model_path);
    if (!files) return files.error();
    if (request.load_vocabulary) {
        return capture_files(request, std::move(policy), files.value(), paths_of(files.value()));
    }
    const Result<SlimModel> slim = SlimModel::make(files.value());
    if (!slim) return slim.error();
    return capture_files(request, std::move(policy), files.value(), slim.value().paths());
}

}  // namespace pshard
