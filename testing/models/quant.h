// Which type the quantizer gives to each tensor of a model: a model of llama-quantize.
//
// A quantization is a base type for all matrices and exceptions to it, kept as llama.cpp v0.5.0 has
// them (src/llama-quant.cpp, llama_tensor_get_type_impl, without an importance matrix):
//
//   not quantized  1-D tensors, norms, routers (ffn_gate_inp), ssm_conv1d, all but "*.weight"
//   the output     (or the embedding, if tied) q6_K, in Q8_0 and MXFP4 files q8_0
//   Q4_K_M, Q5_K_M q6_K for attn_v and ffn_down in the first and last 1/8 of the layers and in
//                  every third of the others
//   Q2_K ... Q4_K_S, IQ4_XS   attn_v, attn_output and ffn_down one step above the base
//   70B            attn_v at least q5_K: 8 query heads share it
//   8 experts      attn_k and attn_v q8_0, attn_output q5_K: small beside the experts
//   MXFP4          tensors with experts mxfp4, the others q8_0
//   TQ2_0          the embedding q4_K
//
// A row that is no multiple of the type's block falls back to a type of 32-blocks (q4_K to q5_0,
// q6_K to q8_0), and to f16 where even those do not fit.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ggml.h"
#include "models/tensor_list.h"

namespace pshard::shapes {

// general.file_type. The numbers are those of llama_ftype (llama.h), which this module may not see;
// quant_test.cpp compares them.
enum class FileType {
    F16 = 1,
    Q4_0 = 2,
    Q8_0 = 7,
    Q5_0 = 8,
    Q2_K = 10,
    Q3_K_S = 11,
    Q3_K_M = 12,
    Q3_K_L = 13,
    Q4_K_S = 14,
    Q4_K_M = 15,
    Q5_K_S = 16,
    Q5_K_M = 17,
    Q6_K = 18,
    IQ4_XS = 30,
    BF16 = 32,
    TQ2_0 = 37,
    MXFP4 = 38,
};

struct Quant {
    std::string name;  // "Q4_K_M"
    ggml_type base;    // the type of most matrices
    FileType file_type;
};

const std::vector<Quant>& all_quants();

// Fails: an unknown name; the message lists those known.
Result<Quant> find_quant(const std::string& name);

// The type of each tensor, in the order of `tensors` (layers ascending, as list_tensors() makes
// them: some rules count layers).
std::vector<ggml_type> assign_types(const ModelShape& model,
                                    const TensorList& tensors,
                                    const Quant& quant);

}  // namespace pshard::shapes
