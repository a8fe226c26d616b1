// Small texts that several reports share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/counted.h"
#include "report/report.h"

namespace pshard {

std::string mib_text(Bytes bytes);                                   // "11975.7"
std::string rate_text(const std::optional<Prediction>& prediction);  // "-" if there is none

// "n_pinned 12, n_attn_pinned 80, part ATTN, head on the GPU": what is not there is left out.
std::string choice_text(const PlanChoice& choice);

// The best viable candidate of each strategy but the winner's, best first.
std::vector<const Candidate*> best_rivals(const TierPlan& tier);

// What is predicted of the tier's plan, and its tokens per second; nullptr and 0: nothing is.
const Prediction* prediction_of(const TierPlan& tier);
double rate_of(const TierPlan& tier);

// The tiers of a plan; stock's tiers where stock llama.cpp holds the whole model.
std::vector<TierPlan> tiers_of(const Planning& planning);

std::string machine_text(const MachineProfile* profile);
std::string context_text(const Inventory& inventory);
std::string flash_attention_text(const Inventory& inventory);  // "on", "off", "auto, comes to on"

// The text as a cell, quoted where CSV needs it (RFC 4180).
std::string csv_cell(std::string_view text);

// A table as Markdown, columns padded; the first row is the head.
using Row = std::vector<std::string>;
std::string markdown_table(const std::vector<Row>& rows, const std::vector<bool>& flush_right);

}  // namespace pshard
