// What the fake device is, by the environment:
//
//   FAKECUDA_DEVICES            cards (1)
//   FAKECUDA_MEMORY_MIB         of each card (8192)
//   FAKECUDA_CONTEXT_MIB        that a context takes of it (256)
//   FAKECUDA_GRAPH_NODE_KIB     that each node of an instantiated graph takes of it (4)
//   FAKECUDA_CC                 compute capability, 89 for 8.9 (89)
//   FAKECUDA_LOCK_MIB           host memory that may be page-locked, in all (no limit)
//   FAKECUDA_READ_ONLY_LOCKS    1: memory can be registered for reading only; 0: refused, as many
//   drivers do (0) FAKECUDA_FAIL               CALL:N, several by commas: the Nth call of that name
//   finds no memory FAKECUDA_CHECK              0: no order is checked, for timing (1)
//   FAKECUDA_COPY_US            microseconds that each call of a copy holds its thread (0)
//   FAKECUDA_REPORT             a file for counts and faults, written at exit
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace pshard::fakecuda {

struct Settings {
    int n_devices = 1;
    std::size_t memory_bytes = std::size_t{8192} << 20U;
    std::size_t context_bytes = std::size_t{256} << 20U;
    std::size_t graph_node_bytes = std::size_t{4} << 10U;
    int compute_capability = 89;
    std::size_t lockable_bytes = std::size_t{1} << 62U;
    bool read_only_locks = false;
    std::map<std::string, long> failing_calls{};  // by name: which call fails, from 1
    bool check = true;
    long copy_us = 0;
    std::string report{};
};

struct ParsedSettings {
    Settings settings;
    std::string problem{};  // the first that cannot be read; empty: none
};

ParsedSettings read_settings(const char* const* environment);

}  // namespace pshard::fakecuda
