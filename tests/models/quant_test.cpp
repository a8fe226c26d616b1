// Our choice of types against llama.cpp's own quantizer, tensor by tensor.
#include "models/quant.h"
#include "models/arch.h"
#include "models/shapes.h"
#include "stock_llama.h"
#include "support/testing.h"

namespace pshard::shapes {
namespace {

struct FreeQuantizer {
    void operator()(quantize_state_impl* state) const { llama_quant_free(state); }
};

// What llama-quantize would give the tensors of `model` that it quantizes, F32 for the others.
std::vector<ggml_type> stock_types(const stock::Model& model,
                                   const TensorList& specs,
                                   const Quant& quant) {
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = static_cast<llama_ftype>(quant.file_type);
    const std::unique_ptr<quantize_state_impl, FreeQuantizer> state(
        llama_quant_init(model.get(), &params));
    const ggml_init_params memory{(specs.size() + 1) * ggml_tensor_overhead(), nullptr, true};
    ggml_context* ggml = ggml_init(memory);
    std::vector<ggml_tensor*> quantized;
    std::vector<size_t> places;
    for (size_t i = 0; i < specs.size(); ++i) {
        ggml_tensor* tensor =
            ggml_new_tensor(ggml, GGML_TYPE_F32, int(specs[i].dims.size()), specs[i].dims.data());
        ggml_set_name(tensor, specs[i].name.c_str());
        if (llama_quant_tensor_allows_quantization(state.get(), tensor)) {
            quantized.push_back(tensor);
            places.push_back(i);
        }
    }
    std::vector<ggml_type> found(quantized.size());
    llama_quant_compute_types(
        state.get(), params.ftype, quantized.data(), found.data(), quantized.size());
    ggml_free(ggml);
    std::vector<ggml_type> types(specs.size(), GGML_TYPE_F32);
    for (size_t i = 0; i < places.size(); ++i) {
        types[places[i]] = found[i];
    }
    return types;
}

std::vector<std::string> known_names() {
    std::vector<std::string> names;
    for (const ModelShape& shape : known_shapes()) {
        names.push_back(shape.name);
    }
    return names;
}

class QuantOfModel : public testing::TestWithParam<std::string> {};

TEST_P(QuantOfModel, IsThatOfLlamaCpp) {
    const ModelShape shape = find_shape(GetParam()).value();
    const test::TempFolder dir;
    const auto written = test::value_of(write_sparse(shape, "F16", dir / "model.gguf"));
    const stock::Model model = stock::load_shape(written.files[0]);
    ASSERT_NE(model, nullptr);
    const TensorList tensors = list_tensors(shape).value();
    for (const Quant& quant : all_quants()) {
        const auto ours = assign_types(shape, tensors, quant);
        const auto theirs = stock_types(model, tensors, quant);
        for (size_t i = 0; i < tensors.size(); ++i) {
            EXPECT_EQ(std::string(ggml_type_name(ours[i])), ggml_type_name(theirs[i]))
                << quant.name << ": " << tensors[i].name;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, QuantOfModel, ValuesIn(known_names()), test::NamedByParameter());

TEST(Quants, FileTypesAreThoseOfLlamaCpp) {
    for (const Quant& quant : all_quants()) {
        EXPECT_EQ(llama_ftype_get_default_type(static_cast<llama_ftype>(quant.file_type)),
                  quant.base)
            << quant.name;
    }
    EXPECT_EQ(int(FileType::Q4_K_M), LLAMA_FTYPE_MOSTLY_Q4_K_M);
    EXPECT_EQ(int(FileType::Q4_K_S), LLAMA_FTYPE_MOSTLY_Q4_K_S);
    EXPECT_EQ(int(FileType::Q5_K_M), LLAMA_FTYPE_MOSTLY_Q5_K_M);
    EXPECT_EQ(int(FileType::Q5_K_S), LLAMA_FTYPE_MOSTLY_Q5_K_S);
    EXPECT_EQ(int(FileType::Q3_K_L), LLAMA_FTYPE_MOSTLY_Q3_K_L);
    EXPECT_EQ(int(FileType::Q3_K_M), LLAMA_FTYPE_MOSTLY_Q3_K_M);
    EXPECT_EQ(int(FileType::Q3_K_S), LLAMA_FTYPE_MOSTLY_Q3_K_S);
    EXPECT_EQ(int(FileType::Q2_K), LLAMA_FTYPE_MOSTLY_Q2_K);
}

// Qwen2.5-72B: 29568 = 115.5 * 256, so ffn_down cannot be q4_K (q5_0) nor q6_K (q8_0).
TEST(Quants, RowsThatDoNotFitFallBack) {
    const ModelShape shape = find_shape("Qwen2.5-72B").value();
    const TensorList tensors = list_tensors(shape).value();
    const auto types = assign_types(shape, tensors, find_quant("Q4_K_M").value());
    int n_q5_0 = 0;
    int n_q8_0 = 0;
    for (const ggml_type type : types) {
        n_q5_0 += type == GGML_TYPE_Q5_0 ? 1 : 0;
        n_q8_0 += type == GGML_TYPE_Q8_0 ? 1 : 0;
    }
    // More bits: layers 0-9, 70-79, and of the 60 between every third: 40 of 80.
    EXPECT_EQ(n_q8_0, 40);
    EXPECT_EQ(n_q5_0, 40);
}

}  // namespace
}  // namespace pshard::shapes
