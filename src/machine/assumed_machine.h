// WHERE a model goes if nobody has measured the machine: a machine of stated figures.
//
// The figures are low for a PC with a GPU of 8 to 16 GB of 2020 or later, so that what streaming is
// believed to bring is believed of slow links too. They decide what streams and what stays; no
// speed that is told to a user comes from them. Source: PCIe 3.0 x16 (or 4.0 x8) as copies reach
// it, RTX 3060 (360 GB/s), dual-channel DDR4-3200, eight cores with AVX2; 2026-11-30.
#pragma once

#include <string>

#include "machine/machine_profile.h"

namespace pshard {

// What memory the link copies from, whoever copies: a driver may refuse to page-lock, and stock
// llama.cpp uploads from page-locked memory with --no-mmap, else from the pageable mapping.
enum class AssumedLink { PageLocked, Pageable };

// Both sides and the link; all copies go at the one rate of `link`.
[[nodiscard]] MachineProfile assumed_machine(AssumedLink link);

// The figures in words, for a log: "a link of 12 GB/s (...), a GPU of ..., a CPU of ...".
[[nodiscard]] std::string assumed_machine_text();

}  // namespace pshard
