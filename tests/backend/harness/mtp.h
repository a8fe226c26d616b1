// Drafting with a model's own MTP layers: a second context on the same weights, which reads what
// the first one's last layer makes.
#pragma once

#include "backend/harness/records.h"
#include "backend/harness/run_options.h"

namespace pshard::backend_test {

// A prompt, then drafts of two tokens that the main context computes again as one batch; of the
// second token it is told another one, so that the draft's is taken back.
void mtp(const RunOptions& options, Records& records);

}  // namespace pshard::backend_test
