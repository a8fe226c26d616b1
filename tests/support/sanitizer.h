// For tests that start a program that loads a library of ours without the sanitizer's runtime, and
// for those that race on purpose.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

#include "support/testing.h"

#define PSHARD_NO_SANITIZER() GTEST_SKIP() << "the program loads no sanitized library"
#else
#define PSHARD_NO_SANITIZER() static_cast<void>(0)
#endif

// For tests that compute for long and run no line that quicker tests do not run.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PSHARD_TOO_SLOW_SANITIZED() GTEST_SKIP() << "minutes under a sanitizer, for nothing new"
#else
#define PSHARD_TOO_SLOW_SANITIZED() static_cast<void>(0)
#endif

#if defined(__SANITIZE_THREAD__)
#define PSHARD_RACES_ON_PURPOSE() GTEST_SKIP() << "the thread sanitizer would be right"
#else
#define PSHARD_RACES_ON_PURPOSE() static_cast<void>(0)
#endif
