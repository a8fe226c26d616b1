#include "strategy/number_patterns.h"

#include <map>

#include <fmt/format.h>

namespace pshard {
namespace {

// "7", "[3-7]" or "[157]"
std::string digit_class(const std::set<int>& digits) {
    const int first = *digits.begin();
    const int last = *digits.rbegin();
    if (digits.size() == 1) return std::to_string(first);
    if (last - first + 1 == static_cast<int>(digits.size())) {
        return fmt::format("[{}-{}]", first, last);
    }
    std::string text = "[";
    for (const int digit : digits) text += static_cast<char>('0' + digit);
    return text + "]";
}

}  // namespace

std::vector<std::string> number_patterns(const std::set<int>& numbers) {
    std::set<int> single_digits;
    std::map<int, std::set<int>> last_digits;  // by the number before them
    for (const int number : numbers) {
        (number < 10 ? single_digits : last_digits[number / 10]).insert(number % 10);
    }
    std::map<std::string, std::set<int>> heads;  // by the class of their last digits
    for (const auto& [head, digits] : last_digits) heads[digit_class(digits)].insert(head);
    std::vector<std::string> patterns;
    if (!single_digits.empty()) patterns.push_back(digit_class(single_digits));
    for (const auto& [digits, head_numbers] : heads) {
        for (const std::string& head : number_patterns(head_numbers)) {
            patterns.push_back(head + digits);
        }
    }
    return patterns;
}

}  // namespace pshard
