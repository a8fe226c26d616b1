// How the header of a GGUF file is walked.
//
// In:   a file, which may hold anything, and may change or shrink meanwhile.
// Out:  where its keys and tensors lie; or the first fault, in one sentence.
//
//     "GGUF"  version  number of tensors  number of keys
//     keys      key  type  value                      an array: type of elements, count, elements
//     tensors   name  number of sizes  sizes  type  offset
//     (padding to general.alignment)
//     data                                            never read
//
// The file is read, and not mapped: to touch a mapping of a file that has shrunk ends the process.
// Its bytes go into address space, at their own places, of which only the header takes memory. One
// position moves through it, and only take() moves it: never past the end, nor past what was read.
// After the first fault take() refuses everything and every read gives zeros, so a step need not
// ask after each read whether it went well.
//
// Traps: every number comes from the file. A count is compared with the bytes that are left before
// anything is multiplied by it, and the product of a tensor's sizes may overflow. A name may hold
// any byte, so messages show it by shown(). Values are not aligned, so load() copies them.
#include "capture/gguf_header.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <ggml.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "base/descriptor.h"
#include "base/visible.h"

namespace pshard {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kOldestVersion = 2;
constexpr std::uint32_t kNewestVersion = 3;
constexpr std::uint64_t kMaxHeader = 256 * kMiB;  // a vocabulary of 256000 tokens takes 10 MB
constexpr std::uint64_t kMaxAlignment = std::uint64_t{1} << 30;

// The bytes of a value of the type; 0 for strings and arrays, which have no fixed size.
std::uint64_t fixed_size(GgufType type) {
    static constexpr std::array<std::uint8_t, 13> kSizes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return kSizes[static_cast<std::size_t>(type)];
}

// The form that a name has in messages: at most 80 bytes of it, all visible.
std::string shown(std::string_view name) { return visible(name.substr(0, 80)); }

template <typename T>
T load(std::string_view bytes, std::uint64_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof(T));
    return value;
}

template <typename T>
std::optional<std::uint64_t> load_positive(std::string_view bytes, std::uint64_t at) {
    const T value = load<T>(bytes, at);
    if (value < T{0}) return std::nullopt;
    return static_cast<std::uint64_t>(value);
}

std::optional<std::uint64_t> load_integer(std::string_view bytes, GgufType type, std::uint64_t at) {
    switch (type) {
        case GgufType::U8:
        case GgufType::Bool:
            return load<std::uint8_t>(bytes, at);
        case GgufType::U16:
            return load<std::uint16_t>(bytes, at);
        case GgufType::U32:
            return load<std::uint32_t>(bytes, at);
        case GgufType::U64:
            return load<std::uint64_t>(bytes, at);
        case GgufType::I8:
            return load_positive<std::int8_t>(bytes, at);
        case GgufType::I16:
            return load_positive<std::int16_t>(bytes, at);
        case GgufType::I32:
            return load_positive<std::int32_t>(bytes, at);
        case GgufType::I64:
            return load_positive<std::int64_t>(bytes, at);
        default:
            return std::nullopt;
    }
}

// a * b; nullopt if an int64 cannot hold it.
std::optional<std::int64_t> product(std::int64_t a, std::int64_t b) {
    std::int64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
    return result;
}

// Opens the file `header.path`. Fails if it is missing, unreadable, no regular file, or empty.
Result<Descriptor> open_file(GgufHeader& header) {
    const std::string& path = header.path;
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) {
        return Error{fmt::format("cannot be opened: {}", std::strerror(errno)), {path}};
    }
    struct stat info = {};
    if (fstat(file.get(), &info) != 0) return Error{std::strerror(errno), {path}};
    if (S_ISDIR(info.st_mode)) return Error{"is a directory; give the .gguf file in it", {path}};
    if (!S_ISREG(info.st_mode)) return Error{"is no regular file; give a .gguf file", {path}};
    if (info.st_size == 0) return Error{"is empty; download it again", {path}};
    header.n_bytes = static_cast<Bytes>(info.st_size);
    const Bytes most = std::min<Bytes>(header.n_bytes, kMaxHeader);
    std::optional<AddressSpace> space = AddressSpace::reserve(most, PageUse::OnDemand);
    if (!space) return Error{"cannot be read: there is no memory for its header", {path}};
    header.file = {reinterpret_cast<const char*>(space->data()), most};
    header.memory = std::make_shared<AddressSpace>(std::move(*space));
    return file;
}

// Walks through a file once. The first fault sets `fault_`, and all later steps do nothing.
class GgufScan {
public:
    GgufScan(GgufHeader& header, int fd) : header_(header), bytes_(header.file), fd_(fd) {}

    Status run() {
        scan_preamble();
        for (std::uint64_t i = 0; i < n_pairs_ && !fault_; ++i) scan_pair();
        check_pairs();
        header_.tensors_begin = at_;
        for (std::uint64_t i = 0; i < n_tensors_ && !fault_; ++i) scan_tensor();
        header_.tensors_end = at_;
        check_data();
        if (fault_) return Error{*fault_, {header_.path}};
        return Done{};
    }

private:
    void fail(std::string message) {
        if (!fault_) fault_ = std::move(message);
    }

    void fail_truncated(std::string_view where) {
        fail(
            fmt::format("ends in the middle of its header, in {} at byte {}; the download is "
                        "incomplete, fetch the file again",
                        where,
                        at_));
    }

    bool take(std::uint64_t size, std::string_view where) {
        if (fault_) return false;
        if (size > header_.n_bytes - at_) {
            fail_truncated(where);
            return false;
        }
        if (size > bytes_.size() - at_) {
            fail(fmt::format(
                "has a header of more than {} MiB, in {}: no model has one; the file is damaged",
                kMaxHeader / kMiB,
                where));
            return false;
        }
        if (!read_to(at_ + size, where)) return false;
        at_ += size;
        return true;
    }

    // Reads the file up to `end` and some more, which the next steps want.
    bool read_to(std::uint64_t end, std::string_view where) {
        constexpr std::uint64_t kAhead = 256 * kKiB;
        const std::uint64_t wanted =
            end <= read_ ? read_ : std::min<std::uint64_t>(end + kAhead, bytes_.size());
        while (read_ < wanted) {
            char* to = reinterpret_cast<char*>(header_.memory->data()) + read_;
            const ssize_t n = pread(fd_, to, wanted - read_, static_cast<off_t>(read_));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) fail(fmt::format("cannot be read: {}", std::strerror(errno)));
            if (n == 0) break;
            if (n < 0) return false;
            read_ += static_cast<std::uint64_t>(n);
        }
        if (read_ >= end) return true;
        fail(fmt::format("shrank while it was read: it ends in {} at byte {}", where, read_));
        return false;
    }

    template <typename T>
    T read(std::string_view where) {
        return take(sizeof(T), where) ? load<T>(bytes_, at_ - sizeof(T)) : T{};
    }

    std::string_view read_string(std::string_view where) {
        const auto size = read<std::uint64_t>(where);
        return take(size, where) ? bytes_.substr(at_ - size, size) : std::string_view{};
    }

    void scan_preamble() {
        if (bytes_.size() < kMagic.size() || !take(kMagic.size(), "its first bytes") ||
            !bytes_.starts_with(kMagic)) {
            fail("is no GGUF file: it does not begin with 'GGUF'");
            return;
        }
        const auto version = read<std::uint32_t>("the version");
        header_.version = version;
        if (!fault_ && version != 0 && (version & 0xFFFF) == 0) {
            fail("is a big-endian GGUF file; convert it to little endian");
        } else if (!fault_ && (version < kOldestVersion || version > kNewestVersion)) {
            fail(fmt::format("is GGUF version {}; versions {} to {} are known",
                             version,
                             kOldestVersion,
                             kNewestVersion));
        }
        n_tensors_ = read<std::uint64_t>("the number of tensors");
        n_pairs_ = read<std::uint64_t>("the number of keys");
    }

    GgufType read_type(std::string_view key) {
        const auto type = read<std::uint32_t>("the type of a key");
        if (!fault_ && type > static_cast<std::uint32_t>(GgufType::F64)) {
            fail(
                fmt::format("key '{}' has the unknown type {}; the file is damaged or newer than "
                            "this program",
                            shown(key),
                            type));
        }
        return fault_ ? GgufType::U8 : static_cast<GgufType>(type);
    }

    void scan_pair() {
        GgufPair pair;
        pair.begin = at_;
        pair.key = read_string("a key");
        if (!fault_ && pair.key.empty()) fail(fmt::format("key {} is empty", header_.pairs.size()));
        pair.type = read_type(pair.key);
        pair.element = pair.type;
        if (pair.type == GgufType::Array) {
            pair.element = read_type(pair.key);
            pair.count = read<std::uint64_t>("the length of an array");
            if (!fault_ && pair.element == GgufType::Array) {
                fail(fmt::format("key '{}' is an array of arrays, which GGUF does not have",
                                 shown(pair.key)));
            }
        }
        pair.value = at_;
        skip_values(pair);
        pair.end = at_;
        if (!fault_) header_.pairs.push_back(pair);
    }

    void skip_values(const GgufPair& pair) {
        const std::string where = fault_ ? "" : fmt::format("key '{}'", shown(pair.key));
        if (pair.element == GgufType::String) {
            for (std::uint64_t i = 0; i < pair.count && !fault_; ++i) read_string(where);
            return;
        }
        const std::uint64_t size = fixed_size(pair.element);
        const std::uint64_t left = fault_ ? 0 : header_.n_bytes - at_;
        if (!fault_ && pair.type == GgufType::Array && pair.count > left / size) {
            fail(
                fmt::format("{} holds {} elements, more than the file has bytes; the file is "
                            "damaged or its download incomplete",
                            where,
                            pair.count));
            return;
        }
        take(pair.count * size, where);
    }

    void check_pairs() {
        if (fault_) return;
        std::unordered_set<std::string_view> keys;
        for (const GgufPair& pair : header_.pairs) {
            if (keys.insert(pair.key).second) continue;
            return fail(fmt::format("key '{}' stands there twice", shown(pair.key)));
        }
        const GgufPair* alignment = header_.find("general.alignment");
        if (alignment == nullptr) return;
        const auto value = header_.integer(alignment->key).value_or(0);
        if (alignment->type != GgufType::U32 || value == 0 || (value & (value - 1)) != 0 ||
            value > kMaxAlignment) {
            return fail("key 'general.alignment' is no power of two");
        }
        header_.alignment = value;
    }

    void scan_tensor() {
        GgufTensor tensor;
        tensor.name = read_string("the name of a tensor");
        if (!fault_ && (tensor.name.empty() || tensor.name.size() >= GGML_MAX_NAME)) {
            fail(fmt::format("tensor {} has a name of {} characters; 1 to {} are allowed",
                             header_.tensors.size(),
                             tensor.name.size(),
                             GGML_MAX_NAME - 1));
        }
        const auto n_dims = read<std::uint32_t>("a tensor");
        if (!fault_ && n_dims > GGML_MAX_DIMS) {
            fail(fmt::format("tensor '{}' has {} dimensions; at most {} are allowed",
                             shown(tensor.name),
                             n_dims,
                             GGML_MAX_DIMS));
        }
        for (std::uint32_t i = 0; i < n_dims && !fault_; ++i) {
            tensor.shape[i] = read<std::int64_t>("the shape of a tensor");
        }
        tensor.type = read<std::uint32_t>("the type of a tensor");
        tensor.offset = read<std::uint64_t>("the offset of a tensor");
        size_tensor(tensor);
        if (!fault_) header_.tensors.push_back(tensor);
    }

    void size_tensor(GgufTensor& tensor) {
        if (fault_) return;
        const auto type = static_cast<ggml_type>(tensor.type);
        if (tensor.type >= GGML_TYPE_COUNT || ggml_blck_size(type) == 0) {
            return fail(fmt::format("tensor '{}' has the type {}, which ggml does not know",
                                    shown(tensor.name),
                                    tensor.type));
        }
        std::optional<std::int64_t> elements = 1;
        for (const std::int64_t size : tensor.shape) {
            if (size < 0) elements.reset();
            if (elements) elements = product(*elements, size);
        }
        const std::optional<std::int64_t> rounded =
            elements ? product(*elements, static_cast<std::int64_t>(ggml_type_size(type)))
                     : std::nullopt;
        if (!rounded) {
            return fail(fmt::format("tensor '{}' has an impossible shape: {} x {} x {} x {}",
                                    shown(tensor.name),
                                    tensor.shape[0],
                                    tensor.shape[1],
                                    tensor.shape[2],
                                    tensor.shape[3]));
        }
        if (tensor.shape[0] % ggml_blck_size(type) != 0) {
            return fail(
                fmt::format("tensor '{}' has rows of {}, no multiple of the {} values in a "
                            "block of {}",
                            shown(tensor.name),
                            tensor.shape[0],
                            ggml_blck_size(type),
                            ggml_type_name(type)));
        }
        tensor.bytes = static_cast<Bytes>(*rounded / ggml_blck_size(type));
    }

    void check_data() {
        if (fault_) return;
        header_.data_offset = align_up(at_, header_.alignment);
        const Bytes data =
            header_.n_bytes - std::min<std::uint64_t>(header_.data_offset, header_.n_bytes);
        std::unordered_set<std::string_view> names;
        for (const GgufTensor& tensor : header_.tensors) {
            if (!names.insert(tensor.name).second) {
                return fail(fmt::format("tensor '{}' stands there twice", shown(tensor.name)));
            }
            if (tensor.offset % header_.alignment != 0) {
                return fail(
                    fmt::format("tensor '{}' begins at byte {}, no multiple of the "
                                "alignment {}",
                                shown(tensor.name),
                                tensor.offset,
                                header_.alignment));
            }
            if (tensor.offset > data || tensor.bytes > data - tensor.offset) {
                return fail(
                    fmt::format("tensor '{}' lies past the end of the file ({} bytes); the "
                                "download is incomplete, fetch the file again",
                                shown(tensor.name),
                                header_.n_bytes));
            }
        }
    }

    GgufHeader& header_;
    std::string_view bytes_;
    int fd_;
    std::uint64_t read_ = 0;  // bytes of the file that are there
    std::uint64_t at_ = 0;    // the position, never past the end
    std::uint64_t n_tensors_ = 0;
    std::uint64_t n_pairs_ = 0;
    std::optional<std::string> fault_;
};

}  // namespace

Result<GgufHeader> GgufHeader::open(const std::string& path) {
    GgufHeader header;
    header.path = path;
    const Result<Descriptor> file = open_file(header);
    if (!file) return file.error();
    if (Status scanned = GgufScan(header, file.value().get()).run(); !scanned)
        return scanned.error();
    const std::uint64_t count = header.integer("split.count").value_or(1);
    const std::uint64_t index = header.integer("split.no").value_or(0);
    if (count > 0xFFFF || index >= std::max<std::uint64_t>(count, 1)) {
        return Error{fmt::format("says that it is split {} of {}", index, count), {path}};
    }
    header.split = {static_cast<std::uint32_t>(index),
                    static_cast<std::uint32_t>(std::max<std::uint64_t>(count, 1))};
    return header;
}

const GgufPair* GgufHeader::find(std::string_view key) const {
    const auto found = std::ranges::find(pairs, key, &GgufPair::key);
    return found == pairs.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> GgufHeader::integer(std::string_view key) const {
    const GgufPair* pair = find(key);
    if (pair == nullptr || pair->count == 0) return std::nullopt;
    std::optional<std::uint64_t> greatest;
    for (std::uint64_t i = 0; i < pair->count; ++i) {
        const std::uint64_t at = pair->value + i * fixed_size(pair->element);
        const auto value = load_integer(file, pair->element, at);
        if (!value) return std::nullopt;
        greatest = std::max(greatest.value_or(0), *value);
    }
    return greatest;
}

std::optional<std::string_view> GgufHeader::string(std::string_view key) const {
    const GgufPair* pair = find(key);
    if (pair == nullptr || pair->type != GgufType::String) return std::nullopt;
    return file.substr(pair->value + sizeof(std::uint64_t), load<std::uint64_t>(file, pair->value));
}

std::string_view GgufHeader::bytes(std::uint64_t begin, std::uint64_t end) const {
    PSHARD_CHECK(begin <= end && end <= tensors_end);
    return file.substr(begin, end - begin);
}

}  // namespace pshard
