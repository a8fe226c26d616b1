#include "runtime/pass_builder.h"

#include <fmt/format.h>
#include <ggml-impl.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/counted.h"
#include "ggml_kit/device.h"
#include "runtime/host_buffer.h"

namespace pshard {
namespace {

// Makes values outside compute buffers outputs: the caller may read them at any time.
void keep_lasting(ReadGraph& read, const ggml_cgraph& graph) {
    for (int i = 0; i < graph.n_nodes; ++i) {
        const HostBuffer* buffer = host_buffer_of(*graph.nodes[i]);
        const bool lasts = buffer != nullptr && buffer->use() != BufferUse::Compute;
        if (lasts) read.graph.nodes[static_cast<std::size_t>(i)].is_output = true;
    }
}

// nullptr: the input is no view of a state.
const Ref* state_under(const ggml_tensor* input, const Model& model) {
    const Ref* root = input->view_src != nullptr ? model.find(input->view_src) : nullptr;
    return root != nullptr && root->kind == Ref::Kind::State ? root : nullptr;
}

// Whether the graph reads a view of a state that it did not make. It is then a piece of a graph
// that is computed in pieces, or llama.cpp has left its first views to the piece before.
bool looks_into_state(const ReadGraph& read, const Model& model) {
    return std::ranges::any_of(read.inputs, [&](const ggml_tensor* input) {
        return state_under(input, model) != nullptr;
    });
}

// The same graph with the states themselves in place of their views: readers find them where they
// are.
ReadGraph with_states(ReadGraph read, const Model& model) {
    for (Node& node : read.graph.nodes) {
        for (Ref& source : node.sources) {
            if (source.kind != Ref::Kind::Input) continue;
            const ggml_tensor* input = read.inputs[static_cast<std::size_t>(source.index)];
            if (const Ref* state = state_under(input, model)) source = *state;
        }
    }
    std::ranges::replace_if(
        read.inputs,
        [&](const ggml_tensor* input) { return state_under(input, model) != nullptr; },
        nullptr);
    return read;
}

// How a pass is computed, by Fallback.
constexpr std::array<std::string_view, 4> kHow = {"as planned",
                                                  "with the states in host memory",
                                                  "with the CPU computing what would be streamed",
                                                  "on the CPU"};

Status fit_slots(const SlotSizes& needed, const SlotSizes& planned, std::uint32_t n_tokens) {
    if (needed.pair <= planned.pair && needed.experts <= planned.experts) return Done{};
    return Error{fmt::format("a graph of {} streams {:.1f} MiB at once, its plan has slots "
                             "for {:.1f} MiB",
                             counted(n_tokens, "token"),
                             in_mib(needed.total()),
                             in_mib(planned.total())),
                 {}};
}

}  // namespace

std::shared_ptr<HostBuffer> PassBuilder::cpu_scratch(Bytes bytes) {
    if (cpu_scratch_ != nullptr && cpu_scratch_->bytes() >= bytes) return cpu_scratch_;
    constexpr Bytes kLeast = 64 * kMiB;
    const Bytes roomy = std::max(kLeast, 2 * bytes);
    const std::shared_ptr<ggml_backend_buffer> pinned = pinned_memory(setup_.gpu, roomy);
    HostBuffer* memory = pinned == nullptr
                             ? HostBuffer::reserve(roomy)
                             : HostBuffer::adopt(ggml_backend_buffer_get_base(pinned.get()), roomy);
    PSHARD_CHECK(memory != nullptr);
    memory->handle = ggml_backend_cpu_buffer_from_ptr(memory->base(), memory->bytes());
    cpu_scratch_ = {memory, [pinned](HostBuffer* buffer) {
                        ggml_backend_buffer_free(buffer->handle);
                        delete buffer;
                    }};
    return cpu_scratch_;
}

Result<std::unique_ptr<Pass>> PassBuilder::build_as(const Arrival& arrival, Fallback fallback) {
    const auto& [source, owner, read, tier] = arrival;
    const Graph& graph = read.graph;
    const Inventory& inventory = owner.model.inventory();
    auto pass = std::make_unique<Pass>();
    pass->owner = &owner;
    pass->tier = tier;
    pass->n_tokens = graph.n_tokens;
    pass->written_states = written_states(graph);
    pass->places = owner.places(tier, fallback);
    const TierArena& arena = pass->places.arena;
    StageOptions options = pass->places.options;
    options.offload = OpOffload::Never;  // whatever the orders say
    const Lowered lowered = lower({inventory, graph}, pass->places.placement, options);
    if (Status fits = fit_slots(lowered.slots[0], arena.slots, graph.n_tokens); !fits) {
        return fits.error();
    }
    const Bytes peak = lowered.scratch.gpus[0].peak;
    if (Status fits = models_.fit_scratch(owner, arena, peak, graph.n_tokens); !fits) {
        return fits.error();
    }
    const std::shared_ptr<HostBuffer> host = cpu_scratch(lowered.scratch.cpu.peak);
    const Memories memories{owner.arena(), host->handle, cpu_weights_, locks_};
    Result<std::unique_ptr<Program>> program =
        compile({owner.model, source, read, lowered, arena}, memories);
    if (!program) return program.error();
    pass->program = std::move(program).value();
    pass->program->cpu_scratch = host;
    if (setup_.check_pass) {
        TierArena whole = arena;  // with all that is left behind its slots
        whole.scratch = owner.scratch_room(arena);
        whole.end = whole.scratch_begin + whole.scratch;
        pass->checked = setup_.check_pass({inventory, graph}, lowered, whole);
    }
    if (setup_.on_pass) {
        pass->labels = label_steps(inventory, graph, lowered.cut, lowered.schedule);
    }
    return pass;
}

// Builds the pass as ordered or, if that fails, in the fastest way that works, and tells so.
Result<std::unique_ptr<Pass>> PassBuilder::build_somehow(const Arrival& arrival) {
    const bool piecewise = looks_into_state(arrival.read, arrival.owner.model);
    const ReadGraph resolved =
        piecewise ? with_states(arrival.read, arrival.owner.model) : ReadGraph{};
    Result<std::unique_ptr<Pass>> pass =
        build_as({arrival.graph, arrival.owner, piecewise ? resolved : arrival.read, arrival.tier},
                 Fallback::None);
    const Fallback first = piecewise ? Fallback::HostState : Fallback::NoStreams;
    for (const Fallback fallback : {first, Fallback::Host}) {
        if (pass) break;
        const std::string reason = pass.error().text();
        pass = build_as(arrival, fallback);
        const std::string_view how = kHow.at(static_cast<std::size_t>(fallback));
        if (pass) tell_once(fmt::format("{}: computed {}", reason, how));
    }
    return pass;
}

void PassBuilder::tell_once(const std::string& line) {
    if (told_.insert(line).second) setup_.log(line);
}

// Planning and compiling may run out of memory or threads: what they throw must not cross ggml.
Result<std::unique_ptr<Pass>> PassBuilder::build(const ggml_cgraph& graph,
                                                 const Caller& caller,
                                                 const WantedTier& wanted) {
    try {
        PlannedModel& owner = models_.of_graph(graph, caller);
        ReadGraph read = owner.model.read(graph);
        keep_lasting(read, graph);
        // A host that reserves nothing. Else all that is reserved is known, and this may be a
        // piece.
        if (owner.model.inventory().graphs.empty()) owner.model.note(graph, read.graph);
        if (Status planned = models_.ensure_planned(owner); !planned) return planned.error();
        std::optional<std::size_t> tier = wanted.tier;
        if (!tier) tier = owner.next_tier(read.graph.n_tokens, wanted.begun);
        Result<std::unique_ptr<Pass>> pass = build_somehow({graph, owner, read, *tier});
        if (!pass) return pass;
        if (!pass.value()->checked) return pass.value()->checked.error();
        pass.value()->uid = graph.uid;
        pass.value()->first = graph.nodes[0];
        pass.value()->n_nodes = graph.n_nodes;
        pass.value()->image = GraphImage(graph);
        return pass;
    } catch (const std::exception& error) {
        return Error{fmt::format("cannot plan or compile a graph: {}", error.what()), {}};
    }
}

}  // namespace pshard
