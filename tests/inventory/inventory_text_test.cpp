#include "inventory/inventory_text.h"

#include <random>

#include "base/fingerprint.h"
#include "base/temp_folder.h"
#include "build_paths.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// The example of the format's page.
std::string example() {
    const std::string page = test::text_in(PSHARD_SOURCE_DIR "/docs/formats/inventory.md");
    const std::string fence = "```inventory\n";
    const std::size_t begin = page.find(fence) + fence.size();
    return page.substr(begin, page.find("```", begin) - begin);
}

Inventory parsed(const std::string& text) {
    const Result<Inventory> inventory = inventory_from_text(text, "toy.inventory");
    EXPECT_TRUE(inventory.ok()) << inventory.error().text();
    return inventory.ok() ? inventory.value() : Inventory{};
}

std::string complaint(const std::string& text) {
    const Result<Inventory> inventory = inventory_from_text(text, "toy.inventory");
    EXPECT_FALSE(inventory.ok());
    return inventory.ok() ? "" : inventory.error().text();
}

std::string with(std::string text, const std::string& old_part, const std::string& new_part) {
    const std::size_t at = text.find(old_part);
    EXPECT_NE(at, std::string::npos) << old_part;
    return text.replace(at, old_part.size(), new_part);
}

// `text` with the checksum that it should have, in place of its last line.
std::string signed_again(std::string text) {
    text.erase(text.rfind('\n', text.size() - 2) + 1);
    return text + "end " + to_text(text_hash(text)) + "\n";
}

TEST(InventoryText, ReadsTheExampleOfItsPage) {
    const Inventory toy = parsed(example());
    EXPECT_EQ(toy.model_name, "Toy model");
    EXPECT_EQ(toy.header_hash, 255U);
    EXPECT_EQ(toy.weights[1].side, Side::Ffn);
    EXPECT_EQ(toy.states[0].n_cells, 64);
    ASSERT_EQ(toy.graphs.size(), 2U);
    const Node& stored = toy.graphs[0].nodes[1];
    EXPECT_EQ(stored.name, "cache_k_l0 (view)");
    EXPECT_EQ(stored.storage, (Ref{Ref::Kind::State, 0}));
    EXPECT_EQ(
        stored.sources,
        (std::vector<Ref>{{Ref::Kind::Node, 0}, {Ref::Kind::Input, 1}, {Ref::Kind::State, 0}}));
    EXPECT_EQ(toy.graphs[1].nodes[0].shape, (Shape{8, 4, 1, 1}));
    EXPECT_EQ(toy.graphs[1].nodes[4], toy.graphs[0].nodes[4]);
    EXPECT_EQ(to_text(toy), example());
}

// ---- there and back ----

Inventory everything_unusual() {
    Inventory inventory = parsed(example());
    inventory.model_name = "a \"quoted\" \\ name\n\x01\x7f of \xc3\xa9 =1";
    inventory.architecture = "";
    inventory.header_hash = ~std::uint64_t{0};
    inventory.file_bytes = ~Bytes{0};
    inventory.context.flash_attention = FlashAttention::On;
    inventory.context.output_use = OutputUse::Perplexity;
    inventory.context.kv_unified = true;
    inventory.weights[0].name = "=2";
    inventory.weights[0].shape = {0, 1, 1, 7};
    inventory.weights[0].routed = true;
    inventory.weights[1].name = "\\x41";
    inventory.states[0].kind = StateKind::Recurrent;
    inventory.states[0].layer = -1;
    inventory.graphs[0].inputs[0].name = " ";
    Node& node = inventory.graphs[1].nodes[2];
    node.is_view = node.is_output = true;
    node.contiguous = node.device_supports = false;
    node.sources.clear();
    node.has_storage = true;
    node.storage = {Ref::Kind::Weight, 1};
    inventory.graphs[1].nodes.pop_back();
    return inventory;
}

TEST(InventoryText, ComesBackAsItWas) {
    for (const Inventory& inventory :
         {everything_unusual(), toy_dense(2), toy_moe(3), Inventory{}}) {
        EXPECT_EQ(parsed(to_text(inventory)), inventory);
    }
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const Inventory inventory = random_model(seed);
        EXPECT_EQ(parsed(to_text(inventory)), inventory);
    }
}

TEST(InventoryText, GrowsInLaterGraphs) {
    Inventory inventory = parsed(example());
    Node extra = inventory.graphs[1].nodes[3];
    extra.name = "extra";
    inventory.graphs[1].nodes.push_back(extra);
    EXPECT_THAT(to_text(inventory), HasSubstr("\nSILU extra f32 8x4 128 "));
    EXPECT_EQ(parsed(to_text(inventory)), inventory);
}

// ---- refusals: place and expectation ----

struct Damage {
    std::string name;
    std::string old_part;
    std::string new_part;
    std::string complaint;
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }

class DamagedText : public testing::TestWithParam<Damage> {};

TEST_P(DamagedText, IsRefusedAtItsPlace) {
    const Damage& damage = GetParam();
    EXPECT_THAT(complaint(with(example(), damage.old_part, damage.new_part)),
                HasSubstr(damage.complaint));
}

INSTANTIATE_TEST_SUITE_P(
    Each,
    DamagedText,
    Values(Damage{"OtherFile",
                  "pshard-inventory",
                  "pshard-profile",
                  "toy.inventory:1:1: expected 'pshard-inventory', found 'pshard-profile'"},
           Damage{
               "OtherVersion",
               "inventory 4",
               "inventory 5",
               ":1:18: is version 5 of the format; this program reads version 4; capture the model "
               "again, "
               "with -m and --save-inventory"},
           Damage{"KeyUnknown", "n_layers 1", "n_layer 1", ":8:1: expected 'n_layers'"},
           Damage{"KeyMissing", "n_experts 0\n", "", ":10:1: expected 'n_experts'"},
           Damage{"NumberNone",
                  "n_ctx 64",
                  "n_ctx x",
                  ":18:7: expected n_ctx (a whole number from 0 to 4294967295), found 'x'"},
           Damage{"NumberTooBig", "n_ctx 64", "n_ctx 4294967296", "to 4294967295"},
           Damage{"HashShort", "0x00000000000000ff", "0xff", "expected header_hash (0x and 16"},
           Damage{"AlignmentOdd", "alignment 128", "alignment 96", "no power of two"},
           Damage{"FieldTooFew", " 0 ffn 0\n", " 0 ffn\n", "found the end of the line"},
           Damage{"TwoSpaces", "f16 8x16", "f16  8x16", "checksum does not agree"},
           Damage{"ShapeNegative", "8x16", "8x-16", "expected shape (a shape such as"},
           Damage{"ShapeOpen", "8x16", "8x", "expected shape ("},
           Damage{"QuoteOpen", "\"Toy model\"", "\"Toy model", "a text in quotes"},
           Damage{"QuoteInside", "\"Toy model\"", "\"Toy\" model", "expected the end of the line"},
           Damage{"EscapeCut", "\"Toy model\"", "\"Toy\\x0\"", "a text in quotes"},
           Damage{"CountTooBig", "weights 3", "weights 4", ":37:9: expected shape ("},
           Damage{"CountTooSmall", "weights 3", "weights 2", "expected 'states'"},
           Damage{"CountAbsurd",
                  "weights 3",
                  "weights 99999999999999",
                  ":33:9: 99999999999999 weights are more records than the text holds"},
           Damage{"CountBeyondTheText",
                  "=2 4 32 =1\nnodes 5",
                  "=2 4 32 =1\nnodes 12",
                  "12 nodes are more records than the text holds"},
           Damage{"RunInFirstGraph", "GET_ROWS embd", "=2", "there is none here"},
           Damage{"RunTooLong", "=13\n", "=14\n", "'=' and a number from 1 to 13"},
           Damage{"RunZero", "=13\n", "=0\n", "'=' and a number"},
           Damage{"RunThenTooFew", "=3 8x4 128 =8", "=3 8x4 128 =7", "found the end of the line"},
           Damage{"RefUnknown", "w0,i0", "w0,z0", "expected sources (refs such as"},
           Damage{"RefNegative", "w0,i0", "w0,i-1", "expected sources ("},
           Damage{"RefToWeightPastEnd", "w0,i0", "w3,i0", "node 0 ('embd')"},
           Damage{"RefToInputPastEnd", "w0,i0", "w0,i2", "does not stand before it"},
           Damage{"RefToStatePastEnd", "n0,i1,s0", "n0,i1,s1", "does not stand before it"},
           Damage{"RefToItself", "- w1,n0", "- w1,n2", "node 2 ('ffn_up-0')"},
           Damage{"StorageUnknown", " 1 s0 n0", " 1 ? n0", "expected storage (a ref"},
           Damage{"StoragePastEnd", " 1 s0 n0", " 1 s7 n0", "does not stand before it"},
           Damage{"TiersEqual", "n_tokens 4", "n_tokens 1", "ascending order"},
           Damage{"TierZero", "n_tokens 1", "n_tokens 0", "ascending order"},
           Damage{"EndOther", "\nend 0x", "\nfin 0x", "expected 'end', found 'fin'"},
           Damage{"ChecksumNone", "\nend 0x", "\nend x", "expected a hash"}),
    test::NamedByParameter());

// As an editor or a mail leaves them.
TEST(InventoryText, ReadsWindowsLineEnds) {
    std::string text;
    for (const char c : example()) text += c == '\n' ? "\r\n" : std::string(1, c);
    EXPECT_EQ(parsed(text), parsed(example()));
    EXPECT_THAT(complaint(with(text, "n_ctx ", "n_ctx 1")), HasSubstr("checksum"));
}

TEST(InventoryText, EndsWithItsChecksum) {
    EXPECT_THAT(complaint(example() + "end\n"), HasSubstr("after the end"));
    EXPECT_EQ(signed_again(example()), example());
}

// Digits are all that an editor could change and leave the text well-formed.
TEST(InventoryText, RefusesEveryChangedDigit) {
    const std::string text = example();
    for (std::size_t at = text.find('\n'); at < text.size(); ++at) {
        if (text[at] < '0' || text[at] > '9') continue;
        std::string edited = text;
        edited[at] = text[at] == '9' ? '8' : char(text[at] + 1);
        EXPECT_FALSE(inventory_from_text(edited, "edited").ok()) << at;
    }
}

// Whatever is cut or altered, the reader says no or gives a sound inventory; sanitizers watch.
TEST(InventoryText, SurvivesEveryCut) {
    const std::string text = example();
    for (std::size_t size = 0; size < text.size(); ++size) {
        const Result<Inventory> inventory = inventory_from_text(text.substr(0, size), "cut");
        EXPECT_FALSE(inventory.ok()) << size;
    }
}

TEST(InventoryText, SurvivesAlteredText) {
    std::mt19937 random(7);
    const std::string pool = "0123456789 \n=-,x\"\\nwsi";
    for (int round = 0; round < 5000; ++round) {
        std::string text = example();
        for (int change = 0; change < 3; ++change) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
                case 0:
                    text[at] = pool[random() % pool.size()];
                    break;
                case 1:
                    text.erase(at, 1 + random() % 20);
                    break;
                default:
                    text.insert(at, text.substr(random() % text.size(), random() % 40));
            }
        }
        const Result<Inventory> inventory = inventory_from_text(signed_again(text), "altered");
        if (inventory.ok()) {
            EXPECT_EQ(parsed(to_text(inventory.value())), inventory.value());
        }
    }
}

TEST(InventoryText, SurvivesExchangedLines) {
    std::vector<std::string> lines;
    std::istringstream stream(example());
    for (std::string line; std::getline(stream, line);) lines.push_back(line + "\n");
    for (std::size_t i = 0; i < lines.size(); ++i) {
        for (std::size_t j = i + 1; j < lines.size(); j += 3) {
            std::vector<std::string> exchanged = lines;
            std::swap(exchanged[i], exchanged[j]);
            std::string text;
            for (const std::string& line : exchanged) text += line;
            (void)inventory_from_text(signed_again(text), "exchanged").ok();
        }
    }
}

}  // namespace
}  // namespace pshard
