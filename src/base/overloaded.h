// One function for each alternative of a variant, for std::visit:
//
//   std::visit(Overloaded{[](const Load& load) { ... }, [](const Wait& wait) { ... }}, step.what);
//
// A visitor should name every alternative and take none by `auto`. A new alternative then does not
// compile until each visitor says what it means there.
#pragma once

namespace pshard {

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};

template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace pshard
