// What computes and what moves: small values, so that a second GPU is a number and no new name.
//
//                      GPU 0                     GPU 1                     ...   CPU
//   Device             0                         1                               n
//   Lane               0 resident  1 A  2 B      3 resident  4 A  5 B            3n
//   ScheduleLane       0 computes  1 up  2 down  3 computes  4 up  5 down        3n
//
// Each GPU has a link, an arena and slots of its own; n is the number of GPUs. The planner places
// on one GPU so far, and the runtime refuses a second (runtime/compiler.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace pshard {

// A processor. Gpu is the first one.
struct Device {
    static constexpr std::uint8_t kCpu = 0xff;

    std::uint8_t number = 0;  // the number of a GPU; kCpu: the CPU

    static const Device Gpu;
    static const Device Cpu;

    static constexpr Device gpu(int number) { return {static_cast<std::uint8_t>(number)}; }

    constexpr bool is_gpu() const { return number != kCpu; }

    constexpr std::size_t index(int n_gpus = 1) const {
        return is_gpu() ? number : static_cast<std::size_t>(n_gpus);
    }

    bool operator==(const Device&) const = default;
};

inline constexpr Device Device::Gpu{};
inline constexpr Device Device::Cpu{Device::kCpu};

// Where a tensor lies and who computes with it. The constants are those of the first GPU.
struct Lane {
    enum class Kind : std::uint8_t {
        Resident,  // in VRAM
        ShardA,    // in host memory, uploaded to a slot before each use; computed on the GPU
        ShardB,    // the same, of the other parity
        Cpu,       // in host memory, computed on the CPU
    };

    Kind kind = Kind::Resident;
    std::uint8_t gpu = 0;  // unused for Cpu

    static const Lane Gpu;
    static const Lane ShardA;
    static const Lane ShardB;
    static const Lane Cpu;

    constexpr Lane on(int other) const { return {kind, static_cast<std::uint8_t>(other)}; }

    // The published backend id [S10].
    constexpr int id(int n_gpus = 1) const {
        return kind == Kind::Cpu ? 3 * n_gpus : 3 * gpu + static_cast<int>(kind);
    }

    bool operator==(const Lane&) const = default;
};

inline constexpr Lane Lane::Gpu{};
inline constexpr Lane Lane::ShardA{Lane::Kind::ShardA};
inline constexpr Lane Lane::ShardB{Lane::Kind::ShardB};
inline constexpr Lane Lane::Cpu{Lane::Kind::Cpu};

constexpr bool is_resident(Lane lane) { return lane.kind == Lane::Kind::Resident; }

constexpr bool is_streamed(Lane lane) {
    return lane.kind == Lane::Kind::ShardA || lane.kind == Lane::Kind::ShardB;
}

constexpr Device device_of(Lane lane) {
    return lane.kind == Lane::Kind::Cpu ? Device::Cpu : Device::gpu(lane.gpu);
}

// Who does a step of a schedule, in order. The constants are those of the first GPU.
struct ScheduleLane {
    enum class Kind : std::uint8_t { Gpu, Upload, Download, Cpu };

    Kind kind = Kind::Gpu;
    std::uint8_t gpu = 0;  // the GPU that computes or is at the end of the link; unused for Cpu

    static const ScheduleLane Gpu;
    static const ScheduleLane Upload;
    static const ScheduleLane Download;
    static const ScheduleLane Cpu;

    constexpr ScheduleLane on(int other) const { return {kind, static_cast<std::uint8_t>(other)}; }

    // Lanes are counted by GPU, the CPU last: [0, schedule_lanes(n_gpus)).
    constexpr std::size_t index(int n_gpus = 1) const {
        return kind == Kind::Cpu ? 3 * static_cast<std::size_t>(n_gpus)
                                 : 3 * std::size_t{gpu} + static_cast<std::size_t>(kind);
    }

    static constexpr ScheduleLane at(std::size_t index, int n_gpus = 1) {
        if (index == 3 * static_cast<std::size_t>(n_gpus)) return {Kind::Cpu};
        return {static_cast<Kind>(index % 3), static_cast<std::uint8_t>(index / 3)};
    }

    bool operator==(const ScheduleLane&) const = default;
};

inline constexpr ScheduleLane ScheduleLane::Gpu{};
inline constexpr ScheduleLane ScheduleLane::Upload{ScheduleLane::Kind::Upload};
inline constexpr ScheduleLane ScheduleLane::Download{ScheduleLane::Kind::Download};
inline constexpr ScheduleLane ScheduleLane::Cpu{ScheduleLane::Kind::Cpu};

constexpr std::size_t schedule_lanes(int n_gpus) {
    return 3 * static_cast<std::size_t>(n_gpus) + 1;
}

inline constexpr std::size_t kScheduleLanes = schedule_lanes(1);

// The lane that computes the stages of a device.
constexpr ScheduleLane computing_lane(Device device) {
    return device.is_gpu() ? ScheduleLane::Gpu.on(device.number) : ScheduleLane::Cpu;
}

}  // namespace pshard
