// Where C calls us. What C++ throws must not get past such a function: C code has no way to pass it
// on.
//
//   struct Ours {
//       static void tell(const char* what) noexcept;    hears of what was thrown
//       template <typename Out> static Out refusal();   what the caller gets then
//   };
//   const hook_t hook = Border<function, Ours>::call;   the function's own signature, noexcept
#pragma once

#include <exception>

namespace pshard {

template <auto kFunction, typename Policy>
struct Border;

template <typename Out, typename... In, Out (*kFunction)(In...), typename Policy>
struct Border<kFunction, Policy> {
    static Out call(In... in) noexcept {
        try {
            return kFunction(in...);
        } catch (const std::exception& error) {
            Policy::tell(error.what());
        } catch (...) {
            Policy::tell("something that is no std::exception was thrown");
        }
        return Policy::template refusal<Out>();
    }
};

}  // namespace pshard
