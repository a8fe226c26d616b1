#include "fakecuda/signatures.h"

#include <cstdlib>
#include <memory>
#include <string_view>

#include <cxxabi.h>

namespace pshard::fakecuda {

namespace {

std::string demangled(const char* mangled) {
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(
        abi::__cxa_demangle(mangled, nullptr, nullptr, &status), std::free);
    return status == 0 ? text.get() : mangled;
}

bool opens(char c) { return c == '(' || c == '<' || c == '[' || c == '{'; }

bool closes(char c) { return c == ')' || c == '>' || c == ']' || c == '}'; }

// Where the list of parameters opens: the bracket that belongs to the last one.
std::size_t list_begin(std::string_view text, std::size_t end) {
    int depth = 0;
    for (std::size_t i = end + 1; i-- > 0;) {
        if (closes(text[i])) ++depth;
        if (opens(text[i]) && --depth == 0) return i;
    }
    return std::string_view::npos;
}

std::vector<std::string_view> split(std::string_view list) {
    std::vector<std::string_view> parts;
    int depth = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (opens(list[i])) ++depth;
        if (closes(list[i])) --depth;
        if (list[i] != ',' || depth > 0) continue;
        parts.push_back(list.substr(begin, i - begin));
        begin = i + 1;
    }
    if (begin < list.size()) parts.push_back(list.substr(begin));
    return parts;
}

Argument argument_of(std::string_view type) {
    if (type.ends_with("const*")) return Argument::Reads;
    if (type.ends_with('*')) return Argument::Writes;
    if (type.ends_with("ggml_cuda_mm_fusion_args_device")) return Argument::Fusion;
    return Argument::Value;
}

// "void ns::name<...>" without the return type and what is in angles.
std::string short_name(std::string_view head) {
    std::string name;
    int depth = 0;
    for (const char c : head) {
        if (c == '<') ++depth;
        if (depth == 0) name += c;
        if (c == ' ' && depth == 0) name.clear();
        if (c == '>') --depth;
    }
    return name;
}

}  // namespace

Signature signature_of(const char* mangled) {
    const std::string text = demangled(mangled);
    const std::size_t end = text.rfind(')');
    const std::size_t begin = end == std::string::npos ? end : list_begin(text, end);
    if (begin == std::string::npos) return {text, {}};
    Signature signature{short_name(std::string_view(text).substr(0, begin)), {}};
    for (const std::string_view type :
         split(std::string_view(text).substr(begin + 1, end - begin - 1))) {
        signature.arguments.push_back(argument_of(type));
    }
    return signature;
}

}  // namespace pshard::fakecuda
