#include "explain/what_if.h"
#include "support/testing.h"

namespace pshard {
namespace {

TEST(WhatIf, ReadsEveryPartInAnyOrder) {
    const auto read =
        test::value_of(what_if_from_text("vram=16000,gpu=a=b.txt,link=31.5GB/s,threads=8,cpu=c"));
    const WhatIf& change = read;
    EXPECT_EQ(change.vram_mib, 16000U);
    EXPECT_EQ(change.gpu_profile, "a=b.txt");
    EXPECT_EQ(change.cpu_profile, "c");
    EXPECT_EQ(change.link_gb_per_s, 31.5);
    EXPECT_EQ(change.n_threads, 8);
    EXPECT_EQ(what_if_from_text("vram=16GiB").value().vram_mib, 16384U);
    EXPECT_EQ(what_if_from_text("vram=12MiB").value().vram_mib, 12U);
    EXPECT_EQ(what_if_from_text("link=32").value().link_gb_per_s, 32.0);
}

TEST(WhatIf, RefusesWhatItCannotRead) {
    for (const char* text : {"",
                             "link",
                             "link=",
                             "link=0",
                             "link=-1",
                             "link=32MB/s",
                             "link=inf",
                             "vram=0",
                             "vram=lots",
                             "vram=1e30",
                             "threads=0",
                             "threads=1.5",
                             "threads=9999",
                             "gpu=",
                             "cpu=",
                             "dram=5",
                             "vram=5,",
                             ",vram=5"}) {
        const auto read = what_if_from_text(text);
        ASSERT_FALSE(read.ok()) << text;
        EXPECT_THAT(read.error().text(), HasSubstr("--what-if: '"));
        EXPECT_THAT(read.error().text(), HasSubstr("expected"));
    }
}

MachineProfile machine() {
    MachineProfile profile;
    profile.link.standalone_gb_per_s = 20;
    profile.link.d2h_gb_per_s = 10;
    profile.link.concurrent_gb_per_s = 12;
    profile.link.pageable_gb_per_s = 6;
    profile.link.sliced = {{1, 8}};
    profile.link.copies = {{CopySource::Pinned, 1, 16, 8}, {CopySource::Pageable, 1, 5, 5}};
    return profile;
}

TEST(WhatIf, RefusesAPartThatIsThereTwice) {
    EXPECT_THAT(what_if_from_text("link=16,vram=4GiB,link=32").error().text(),
                HasSubstr("'link' is there twice in 'link=16,vram=4GiB,link=32'"));
}

TEST(WhatIf, AFasterLinkLeavesTheHostAsItIs) {
    const LinkProfile link = with_link(machine(), 40).link;
    EXPECT_EQ(link.standalone_gb_per_s, 40.0);
    EXPECT_EQ(link.d2h_gb_per_s, 20.0);
    EXPECT_EQ(link.concurrent_gb_per_s, 12.0) << "the host's memory held it up";
    EXPECT_EQ(link.pageable_gb_per_s, 6.0);
    EXPECT_EQ(link.sliced[0].gb_per_s, 16.0);
    EXPECT_EQ(link.copies[0].h2d_gb_per_s, 32.0);
    EXPECT_EQ(link.copies[1].h2d_gb_per_s, 5.0);
}

TEST(WhatIf, ASlowerLinkSlowsEverything) {
    const LinkProfile link = with_link(machine(), 10).link;
    EXPECT_EQ(link.standalone_gb_per_s, 10.0);
    EXPECT_EQ(link.concurrent_gb_per_s, 6.0);
    EXPECT_EQ(link.pageable_gb_per_s, 3.0);
    EXPECT_EQ(link.copies[1].h2d_gb_per_s, 2.5);
}

TEST(WhatIf, TheSameLinkChangesNothing) { EXPECT_EQ(with_link(machine(), 20), machine()); }

TEST(WhatIf, AnUnknownLinkStaysUnknown) {
    EXPECT_EQ(with_link({}, 20), MachineProfile{});
    EXPECT_FALSE(link_gb_per_s({}));
}

}  // namespace
}  // namespace pshard
