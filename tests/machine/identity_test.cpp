#include "machine/identity.h"

#include <filesystem>
#include <fstream>

#include "base/temp_folder.h"
#include "machine/profile_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

// A root folder with the files of a machine.
class Identity : public testing::Test {
protected:
    void file(const std::string& path, const std::string& content) const {
        const std::filesystem::path full = root_ + path;
        std::filesystem::create_directories(full.parent_path());
        std::ofstream(full, std::ios::binary) << content;
    }

    void cpu(int number, const std::string& siblings) const {
        const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(number);
        file(folder + "/topology/thread_siblings", siblings + "\n");
    }

    void cache(int cpu, int index, int level, const std::string& size, const std::string& shared) {
        const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                   "/cache/index" + std::to_string(index);
        file(folder + "/level", std::to_string(level) + "\n");
        file(folder + "/size", size + "\n");
        file(folder + "/shared_cpu_map", shared + "\n");
    }

    void link(const std::string& speed, const std::string& width) const {
        file("/sys/bus/pci/devices/0000:0a:00.0/current_link_speed", speed + "\n");
        file("/sys/bus/pci/devices/0000:0a:00.0/current_link_width", width + "\n");
    }

    std::string cpu_name(const std::string& cpuinfo) const {
        file("/proc/cpuinfo", cpuinfo);
        return this_machine(root_).cpu_name;
    }

    const test::TempFolder folder_;
    const std::string root_ = folder_.path();
};

TEST_F(Identity, IsUnknownWhereNothingCanBeRead) {
    EXPECT_EQ(this_machine(root_), MachineIdentity{});
    EXPECT_EQ(physical_cores(root_), std::nullopt);
    EXPECT_EQ(last_level_cache_bytes(root_), 0U);
    EXPECT_EQ(link_name("0000:0a:00.0", root_), "");
    file("/proc/cpuinfo", "\n\x01: :\nmodel name\n");
    file("/proc/meminfo", "MemTotal: 0 kB\n");
    file("/etc/os-release", "PRETTY_NAME=");
    file("/proc/driver/nvidia/version", "NVRM version: 64 bit\n");
    std::filesystem::create_directories(root_ + "/proc/sys/kernel/osrelease");
    EXPECT_EQ(this_machine(root_), MachineIdentity{});
}

TEST_F(Identity, IsWhatTheFilesSay) {
    file("/proc/cpuinfo",
         "processor\t: 0\nmodel\t\t: 97\nmodel name\t: AMD Ryzen 7 7800X3D 8-Core  Processor \n"
         "\nprocessor\t: 1\nmodel name\t: other\n");
    file("/proc/meminfo", "MemTotal:       131072 kB\nMemFree:  5 kB\n");
    file("/etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n");
    file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    file("/proc/driver/nvidia/version",
         "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024\n"
         "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n");
    cpu(0, "3");
    cpu(1, "3");
    const MachineIdentity machine = this_machine(root_);
    EXPECT_EQ(machine.cpu_name, "AMD Ryzen 7 7800X3D 8-Core Processor");
    EXPECT_EQ(machine.os_name, "Debian GNU/Linux 12 (bookworm)");
    EXPECT_EQ(machine.kernel, "6.1.0-18-amd64");
    EXPECT_EQ(machine.gpu_driver, "NVIDIA 550.54.14");
    EXPECT_EQ(machine.cpu_cores, 1);
    EXPECT_EQ(machine.host_memory_mib, 128);
}

TEST_F(Identity, KnowsTheSpellingsOfOtherProcessors) {
    EXPECT_EQ(cpu_name("processor : 0\nModel Name : Loongson-3A5000\n"), "Loongson-3A5000");
    EXPECT_EQ(cpu_name("processor : 0\ncpu : POWER9, altivec supported\n"),
              "POWER9, altivec supported");
    EXPECT_EQ(cpu_name("system type : x\ncpu model : MIPS 1004Kc V2.15\n"), "MIPS 1004Kc V2.15");
    EXPECT_EQ(cpu_name("hart : 0\nisa : rv64imafdc\nuarch : sifive,u74-mc\n"), "sifive,u74-mc");
    EXPECT_EQ(cpu_name("processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0c\n"),
              "ARM implementer 0x41 part 0xd0c");
    EXPECT_EQ(cpu_name("processor : 0\nCPU implementer : 0x41\n"), "");
}

TEST_F(Identity, ReadsTheFormsOfOsRelease) {
    file("/usr/lib/os-release", "PRETTY_NAME='Fedora Linux 40'\n");
    EXPECT_EQ(this_machine(root_).os_name, "Fedora Linux 40");
    file("/etc/os-release", "PRETTY_NAME=Arch\\ Linux\n");
    EXPECT_EQ(this_machine(root_).os_name, "Arch Linux");
    file("/etc/os-release", "PRETTY_NAME=\"The \\\"best\\\" \\$ystem\"\n");
    EXPECT_EQ(this_machine(root_).os_name, "The \"best\" $ystem");
}

TEST_F(Identity, ReadsTheDriverOfTheOpenModule) {
    file("/proc/driver/nvidia/version",
         "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build\n");
    EXPECT_EQ(this_machine(root_).gpu_driver, "NVIDIA 575.57.08");
}

// Four cores of two threads, one of them switched off (its folder has no topology).
TEST_F(Identity, CountsCoresNotThreads) {
    for (int i = 0; i < 8; i++) {
        if (i != 2) cpu(i, std::to_string(11 << (i % 4)));
    }
    std::filesystem::create_directories(root_ + "/sys/devices/system/cpu/cpu2");
    EXPECT_EQ(physical_cores(root_), 4);
}

// Two dies of 32 MiB, each seen by two CPUs; lower levels do not count.
TEST_F(Identity, SumsTheCachesOfTheHighestLevel) {
    for (int i = 0; i < 4; i++) {
        const std::string own = std::to_string(1 << i);
        const std::string die = i < 2 ? "3" : "c";
        cpu(i, own);
        cache(i, 0, 1, "32K", own);
        cache(i, 1, 2, "1024K", own);
        cache(i, 2, 3, "32768K", die);
    }
    EXPECT_EQ(last_level_cache_bytes(root_), 64 * kMiB);
    cache(0, 2, 3, "96M", "3");
    cache(1, 2, 3, "96M", "3");
    EXPECT_EQ(last_level_cache_bytes(root_), 128 * kMiB);
    cache(0, 3, 4, "nothing", "f");
    EXPECT_EQ(last_level_cache_bytes(root_), 128 * kMiB);
}

TEST_F(Identity, NamesTheLink) {
    link("32.0 GT/s PCIe", "16");
    EXPECT_EQ(link_name("0000:0a:00.0", root_), "PCIe 5.0 x16");
    EXPECT_EQ(link_name("0000:0A:00.0", root_), "PCIe 5.0 x16");
    EXPECT_EQ(link_name("0000:0a:00.0-v1", root_), "PCIe 5.0 x16");
    EXPECT_EQ(link_name("0000:0b:00.0", root_), "");
    EXPECT_EQ(link_name("", root_), "");
}

TEST_F(Identity, KnowsEachGenerationOfTheLink) {
    int generation = 1;
    for (const char* speed : {"2.5 GT/s PCIe", "5 GT/s", "8.0 GT/s PCIe", "16.0 GT/s PCIe"}) {
        link(speed, "8");
        EXPECT_EQ(link_name("0000:0a:00.0", root_), fmt::format("PCIe {}.0 x8", generation++));
    }
    link("64.0 GT/s PCIe", "4");
    EXPECT_EQ(link_name("0000:0a:00.0", root_), "PCIe 6.0 x4");
    for (const auto& [speed, width] : {std::pair{"Unknown", "16"},
                                       std::pair{"7 GT/s", "16"},
                                       std::pair{"8.0 GT/s PCIe", "0"},
                                       std::pair{"8.0 GT/s PCIe", "63"}}) {
        link(speed, width);
        EXPECT_EQ(link_name("0000:0a:00.0", root_), "") << speed << " " << width;
    }
}

// No more than that: a sandbox may hide the rest.
TEST(ThisMachine, HasAKernelAndMemory) {
    const MachineIdentity machine = this_machine();
    EXPECT_NE(machine.kernel, "");
    EXPECT_GT(machine.host_memory_mib, 100);
}

MachineIdentity desktop() {
    return {"AMD Ryzen 7",
            "Debian 12",
            "6.1.0",
            "NVIDIA 550.1",
            "RTX 5070 Ti",
            "PCIe 5.0 x16",
            8,
            128000};
}

MachineProfile desktop_profile() {
    MachineProfile profile;
    set_identity(desktop(), profile);
    return profile;
}

TEST(SetIdentity, FillsTheProfileAndKeepsWhatIsNotKnown) {
    MachineProfile profile = desktop_profile();
    EXPECT_EQ(profile.cpu_name, "AMD Ryzen 7");
    EXPECT_EQ(profile.os_name, "Debian 12, Linux 6.1.0");
    EXPECT_EQ(profile.gpu_driver, "NVIDIA 550.1");
    EXPECT_EQ(profile.gpu_name, "RTX 5070 Ti");
    EXPECT_EQ(profile.link_name, "PCIe 5.0 x16");
    EXPECT_EQ(profile.cpu_cores, 8);
    EXPECT_EQ(profile.host_memory_mib, 128000);
    set_identity({}, profile);
    EXPECT_EQ(profile, desktop_profile());
}

// A name of two lines would not come back from the text of the profile.
TEST(SetIdentity, KeepsNamesOnOneLine) {
    MachineProfile profile;
    profile.cpu.emplace();
    set_identity({.gpu_name = "GPU\r\nwith  blanks"}, profile);
    EXPECT_EQ(profile.gpu_name, "GPU with blanks");
    EXPECT_EQ(profile_from_text(to_text(profile)).value(), profile);
}

TEST(Differences, AreNoneOnTheSameMachine) {
    EXPECT_THAT(differences(desktop_profile(), desktop()), IsEmpty());
    MachineProfile here;
    set_identity(this_machine(), here);
    EXPECT_THAT(differences(here, this_machine()), IsEmpty());
}

TEST(Differences, AreNoneWhereOneSideIsUnknown) {
    EXPECT_THAT(differences({}, desktop()), IsEmpty());
    EXPECT_THAT(differences(desktop_profile(), {}), IsEmpty());
}

TEST(Differences, DoNotCountBlanksCaseKernelAndALittleRam) {
    const MachineIdentity here = {"amd  RYZEN7",
                                  "debian 12",
                                  "6.12.9",
                                  "nvidia 550.1",
                                  "RTX 5070 Ti ",
                                  "PCIe 5.0 x16",
                                  8,
                                  122000};
    EXPECT_THAT(differences(desktop_profile(), here), IsEmpty());
}

TEST(Differences, AreNamedOneByOne) {
    const MachineIdentity here = {
        "EPYC", "Debian 13", "6.1.0", "NVIDIA 575.2", "H100", "PCIe 4.0 x8", 2, 24105.6};
    EXPECT_THAT(differences(desktop_profile(), here),
                ElementsAre("CPU: profile 'AMD Ryzen 7', here 'EPYC'",
                            "physical cores: profile 8, here 2",
                            "MiB of RAM: profile 128000, here 24106",
                            "GPU: profile 'RTX 5070 Ti', here 'H100'",
                            "GPU driver: profile 'NVIDIA 550.1', here 'NVIDIA 575.2'",
                            "link: profile 'PCIe 5.0 x16', here 'PCIe 4.0 x8'",
                            "OS: profile 'Debian 12', here 'Debian 13'"));
}

TEST(Differences, CountRamBeyondFivePercent) {
    MachineIdentity here = desktop();
    here.host_memory_mib = 128000 * 0.951;
    EXPECT_THAT(differences(desktop_profile(), here), IsEmpty());
    here.host_memory_mib = 128000 * 0.949;
    EXPECT_THAT(differences(desktop_profile(), here),
                ElementsAre("MiB of RAM: profile 128000, here 121472"));
    here.host_memory_mib = 128000 * 1.051;
    EXPECT_THAT(differences(desktop_profile(), here), SizeIs(1));
}

}  // namespace
}  // namespace pshard
