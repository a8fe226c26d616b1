#include <atomic>

#include "base/counted.h"
#include "base/fields.h"
#include "base/fingerprint.h"
#include "base/text.h"
#include "base/worker.h"
#include "support/testing.h"

namespace pshard {
namespace {

TEST(LinesOf, KeepEveryByteOnce) {
    const std::string text = "a\r\n\n b\r\nlast";
    std::string joined;
    std::vector<std::string> lines;
    for (const TextLine line : lines_of(text, "f")) {
        joined += line.raw;
        lines.emplace_back(line.text);
        EXPECT_EQ(line.place, (Place{"f", int(lines.size()), 1}));
    }
    EXPECT_EQ(joined, text);
    EXPECT_EQ(lines, (std::vector<std::string>{"a", "", " b", "last"}));
    EXPECT_FALSE(lines_of("", "f").begin() != nullptr);
}

TEST(Counted, IsOneOrMore) {
    EXPECT_EQ(counted("1", "token"), "1 token");
    EXPECT_EQ(counted("512", "token"), "512 tokens");
    EXPECT_EQ(counted("1@4096", "token"), "1@4096 tokens");
}

TEST(NumberOf, TakesAWholeTextInTheRangeOfItsType) {
    EXPECT_EQ(number_of<std::uint8_t>("255"), 255);
    EXPECT_EQ(number_of<int>("-7"), -7);
    EXPECT_EQ(number_of<double>("1e3"), 1000);
    for (const char* text : {"", "256", "-1", "+1", " 1", "1 ", "0x1", "1.0"}) {
        EXPECT_EQ(number_of<std::uint8_t>(text), std::nullopt) << text;
    }
    for (const char* text : {"", "nan", "inf", "1e999", "1x"}) {
        EXPECT_EQ(number_of<double>(text), std::nullopt) << text;
    }
}

TEST(MibOf, RefusesWithTheVariableItsTextAndTheRange) {
    EXPECT_EQ(mib_of("VARIABLE", "4294967295").value(), 4294967295);
    for (const std::string text : {"", "4294967296", "-1", "1 ", "all"}) {
        const Result<std::uint32_t> mib = mib_of("VARIABLE", text);
        ASSERT_FALSE(mib.ok()) << text;
        EXPECT_EQ(mib.error().text(),
                  "VARIABLE: '" + text + "' is no number of MiB from 0 to 4294967295");
    }
}

TEST(Split, KeepsEmptyParts) {
    using Parts = std::vector<std::string>;
    EXPECT_EQ(split("", ','), Parts());
    EXPECT_EQ(split("a", ','), Parts({"a"}));
    EXPECT_EQ(split("a;b,c", ';'), Parts({"a", "b,c"}));
    EXPECT_EQ(split("a,,", ','), Parts({"a", "", ""}));
    EXPECT_EQ(split(",a", ','), Parts({"", "a"}));
}

TEST(Cursor, WalksThroughWordsAndLines) {
    Cursor in("one\t \"t w\\\" o\"  =3\nnext rest of it\n", "f");
    EXPECT_EQ(in.word(), "one");
    EXPECT_EQ(in.word(), "\"t w\\\" o\"");
    EXPECT_EQ(in.place(), (Place{"f", 1, 6}));
    EXPECT_TRUE(in.next_begins_with('='));
    EXPECT_EQ(in.word(), "=3");
    EXPECT_FALSE(in.has_word());
    EXPECT_EQ(in.word(), "");
    in.end_line();
    EXPECT_EQ(in.bytes_left(), 16U);
    in.expect_word("next");
    EXPECT_EQ(in.place(), (Place{"f", 2, 1}));
    EXPECT_EQ(in.rest_of_line(), " rest of it");
    in.end_line();
    EXPECT_FALSE(in.failed());
    EXPECT_EQ(in.bytes_left(), 0U);
}

// What is wrong with a text, if each of its lines should be "a b"; "" if nothing is.
std::string fault_of(const std::string& text) {
    Cursor in(text, "f");
    while (in.bytes_left() > 0 && !in.failed()) {
        in.expect_word("a");
        in.expect_word("b");
        in.end_line("the pair");
    }
    return in.failed() ? in.fault()->text() : "";
}

TEST(Cursor, KeepsTheFirstFaultWithItsPlace) {
    EXPECT_EQ(fault_of("a b\na b\n"), "");
    EXPECT_EQ(fault_of("a b\n a c\nx y\n"), "f:2:4: expected 'b', found 'c'");
    EXPECT_EQ(fault_of("a b\na\n"), "f:2:2: expected 'b', found the end of the line");
    EXPECT_EQ(fault_of("a b\na "), "f:2:3: expected 'b', found the end of the file");
    EXPECT_EQ(fault_of("a b c d\n"), "f:1:5: expected the end of the pair, found 'c'");
    EXPECT_EQ(fault_of("a b"), "f:1:4: expected a line end, found the end of the file");
    EXPECT_EQ(fault_of("a \"" + std::string(100, 'x')),
              "f:1:3: expected 'b', found '\"" + std::string(39, 'x') + "'");
}

TEST(Cursor, CountsFromThePlaceOfItsLine) {
    const Lines lines = lines_of("\nkey=1 x", "f");
    const TextLine second = *++lines.begin();
    Cursor in(second, 4);
    EXPECT_EQ(in.word(), "1");
    in.end_line();
    EXPECT_EQ(in.fault()->text(), "f:2:7: expected the end of the line, found 'x'");
    EXPECT_EQ(second.error(4, "bad").text(), "f:2:5: bad");
}

// ---- fields ----

enum class Colour { Red, Blue };
constexpr std::array<std::string_view, 2> kColours = {"red", "blue"};

struct Inner {
    double rate = 0;
};

struct Thing {
    int count = 0;
    Inner inner;
    std::optional<Colour> colour;
};

constexpr std::array kFields = {
    field<Whole<int, 1, 9>, &Thing::count>("count"),
    field<&Thing::inner, &Inner::rate>("rate"),
    field<OneOf<Colour, kColours>, &Thing::colour>("colour"),
};

std::string columns_of(const Thing& thing) {
    std::string text;
    write_columns(text, thing, kFields);
    return text;
}

// The columns that were read, written again; or what is wrong with them.
std::string read_back(const std::string& text) {
    Thing thing;
    Cursor in(*lines_of(text, "f").begin());
    read_columns(in, thing, kFields);
    in.end_line();
    return in.failed() ? in.fault()->text() : columns_of(thing);
}

TEST(Fields, AreReadAsTheyAreWritten) {
    EXPECT_EQ(read_back("3 2.5 blue"), " 3 2.5 blue");
    EXPECT_EQ(read_back("9 0.1"), " 9 0.1");
    EXPECT_EQ(columns_of({.count = 1, .inner = {}, .colour = Colour::Red}), " 1 0 red");
}

TEST(Fields, NameThemselvesInAFault) {
    EXPECT_EQ(read_back("10 2.5"),
              "f:1:1: expected count (a whole number from 1 to 9), found '10'");
    EXPECT_EQ(read_back("0 1"), "f:1:1: expected count (a whole number from 1 to 9), found '0'");
    EXPECT_EQ(read_back("1 -2"),
              "f:1:3: expected rate (a number that is not negative), found '-2'");
    EXPECT_EQ(read_back("1"),
              "f:1:2: expected rate (a number that is not negative), found the end of the line");
    EXPECT_EQ(read_back("1 2 green"), "f:1:5: expected colour (one of red, blue), found 'green'");
    EXPECT_EQ(read_back("1 2 red 4"), "f:1:9: expected the end of the line, found '4'");
}

TEST(Fields, AreFoundAndComparedByTheirRow) {
    const Thing blue = {.count = 1, .inner = {}, .colour = Colour::Blue};
    const Thing red = {.count = 1, .inner = {}, .colour = Colour::Red};
    EXPECT_EQ(find_field<Thing>(kFields, "colour"), &kFields[2]);
    EXPECT_EQ(find_field<Thing>(kFields, "color"), nullptr);
    EXPECT_TRUE(kFields[0].same(blue, red));
    EXPECT_FALSE(kFields[2].same(blue, red));
    EXPECT_EQ(text_of(kFields[2], blue), "blue");
    EXPECT_EQ(text_of(kFields[2], Thing{}), "");
}

// One step by hand: (0xcbf29ce484222325 xor 0) * 0x100000001b3, modulo 2^64.
TEST(WordHash, TakesWholeWords) {
    EXPECT_EQ(word_hash({}), Hash64{0xcbf29ce484222325U});
    EXPECT_EQ(word_hash({0}), Hash64{0xcbf29ce484222325U * 0x100000001b3U});
    EXPECT_NE(word_hash({1, 2}), word_hash({2, 1}));
}

TEST(WordHash, ExtendsTheSign) {
    EXPECT_EQ(word_hash({-1}), Hash64{~0xcbf29ce484222325U * 0x100000001b3U});
}

// The values that xxhsum -H3 gives: they are in files, and must never change.
TEST(TextHash, IsStable) {
    EXPECT_EQ(to_text(text_hash("")), "0x2d06800538d394c2");
    EXPECT_EQ(to_text(text_hash("abc")), "0x78af5f94892f3950");
}

TEST(Hash64, ReadsOnlyItsOwnForm) {
    EXPECT_EQ(hash_of("0x00000000000000ff"), Hash64{255});
    EXPECT_EQ(hash_of(to_text(Hash64{0xfedcba9876543210U})), Hash64{0xfedcba9876543210U});
    for (const char* text : {"",
                             "0x",
                             "255",
                             "0xff",
                             "0x00000000000000FF",
                             "0x00000000000000fg",
                             " 0x00000000000000ff",
                             "0x00000000000000ff0"}) {
        EXPECT_EQ(hash_of(text), std::nullopt) << text;
    }
}

TEST(Worker, DoesJobsInTheOrderInWhichTheyWerePosted) {
    std::vector<int> done;
    Worker worker;
    for (int i = 0; i < 100; ++i) worker.post([&done, i] { done.push_back(i); });
    worker.drain();
    ASSERT_EQ(done.size(), 100U);
    EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

TEST(Worker, WaitsForOneJobWithoutTheLaterOnes) {
    std::atomic<bool> first = false;
    std::atomic<bool> release = false;
    Worker worker;
    const Worker::Ticket ticket = worker.post([&] { first = true; });
    worker.post([&] { release.wait(false); });
    worker.wait_for(ticket);
    EXPECT_TRUE(first);
    release = true;
    release.notify_all();
    worker.drain();
}

TEST(Worker, FinishesItsJobsBeforeItEnds) {
    std::atomic<int> done = 0;
    {
        Worker worker;
        for (int i = 0; i < 10; ++i) worker.post([&] { ++done; });
    }
    EXPECT_EQ(done, 10);
}

}  // namespace
}  // namespace pshard
