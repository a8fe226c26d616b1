#include "backend/harness/mtp.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "backend/harness/session.h"
#include "llama-ext.h"

namespace pshard::backend_test {
namespace {

using Rows = std::vector<float>;  // of n_embd values, what the last layer makes of each token

// A batch of tokens, and for the drafting context a row for each.
class Drafter {
public:
    Drafter(const RunOptions& options, Records& records)
        : model_(load_model(options)), records_(records) {
        if (llama_model_n_layer_nextn(model_.get()) == 0) fail("no MTP layers", kUnsupported);
        n_embd_ = static_cast<std::size_t>(llama_model_n_embd_out(model_.get()));
        const llama_vocab* vocab = llama_model_get_vocab(model_.get());
        n_vocab_ = static_cast<std::size_t>(llama_vocab_n_tokens(vocab));
        llama_context_params params = context_params(options);
        main_ = make_context(model_, params);
        params.ctx_type = LLAMA_CONTEXT_TYPE_MTP;
        params.ctx_other = main_.get();
        drafting_ = make_context(model_, params);
        llama_set_embeddings_nextn(main_.get(), true, /*masked=*/false);
        llama_set_embeddings_nextn(drafting_.get(), true, /*masked=*/true);
        pending_.assign(n_embd_, 0.0f);
    }

    // Both contexts take the tokens; a row belongs to the token after its own.
    void process(const std::vector<llama_token>& tokens) {
        decode(main_.get(), tokens, {}, "main");
        const float* made = llama_get_embeddings_nextn(main_.get());
        require(made != nullptr, "the main context made no rows");
        Rows rows = pending_;
        rows.insert(rows.end(), made, made + (tokens.size() - 1) * n_embd_);
        take_back(drafting_.get());
        decode(drafting_.get(), tokens, rows, "caught up");
        pending_.assign(made + (tokens.size() - 1) * n_embd_, made + tokens.size() * n_embd_);
        position_ += static_cast<llama_pos>(tokens.size());
    }

    // `n_tokens` after `token`, each made of the row that was made with the one before.
    std::vector<llama_token> draft(llama_token token, int n_tokens) {
        std::vector<llama_token> drafted;
        Rows row = pending_;
        for (int i = 0; i < n_tokens; ++i) {
            const Rows logits = decode(drafting_.get(), {token}, row, "draft", i);
            token = static_cast<llama_token>(std::ranges::max_element(logits) - logits.begin());
            drafted.push_back(token);
            const float* made = llama_get_embeddings_nextn_ith(drafting_.get(), 0);
            require(made != nullptr, "the drafting context made no row");
            row.assign(made, made + n_embd_);
        }
        return drafted;
    }

private:
    void take_back(llama_context* context) const {
        require(llama_memory_seq_rm(llama_get_memory(context), 0, position_, -1), "no removal");
    }

    // The last token's logits. `ahead`: tokens beyond the position that both contexts are at.
    Rows decode(llama_context* context,
                std::vector<llama_token> tokens,
                Rows rows,
                const std::string& what,
                int ahead = 0) {
        const std::size_t n = tokens.size();
        std::vector<llama_pos> positions(n);
        std::vector<std::int32_t> n_sequences(n, 1);
        std::vector<llama_seq_id> first(n, 0);
        std::vector<llama_seq_id*> sequences(n);
        std::vector<std::int8_t> outputs(n, 0);
        for (std::size_t i = 0; i < n; ++i) {
            positions[i] = position_ + ahead + static_cast<llama_pos>(i);
            sequences[i] = &first[i];
        }
        outputs.back() = 1;
        const llama_batch batch = {static_cast<std::int32_t>(n),
                                   tokens.data(),
                                   rows.empty() ? nullptr : rows.data(),
                                   positions.data(),
                                   n_sequences.data(),
                                   sequences.data(),
                                   outputs.data()};
        require(llama_decode(context, batch) == 0, what + ": not decoded");
        const float* logits = llama_get_logits_ith(context, -1);
        require(logits != nullptr, "there are no logits");
        records_.push_back(
            {what + " " + std::to_string(records_.size()), {logits, logits + n_vocab_}});
        return {logits, logits + n_vocab_};
    }

    ModelPtr model_;
    ContextPtr main_{};
    ContextPtr drafting_{};
    Records& records_;
    std::size_t n_embd_ = 0;
    std::size_t n_vocab_ = 0;
    llama_pos position_ = 0;
    Rows pending_{};
};

}  // namespace

void mtp(const RunOptions& options, Records& records) {
    Drafter drafter(options, records);
    std::vector<llama_token> prompt(70);
    for (std::size_t i = 0; i < prompt.size(); ++i) {
        prompt[i] =
            static_cast<llama_token>((i * 7919 + static_cast<std::size_t>(options.seed)) % 509);
    }
    drafter.process(prompt);
    llama_token last = 17;
    for (int round = 0; round < 6; ++round) {
        std::vector<llama_token> tokens = drafter.draft(last, 2);
        tokens.insert(tokens.begin(), last);
        if (round % 2 == 0) tokens.pop_back();  // half of the drafts are taken back
        last = tokens.back() / 2 + round;
        drafter.process(tokens);
    }
}

}  // namespace pshard::backend_test
