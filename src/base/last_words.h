// What is said when the host gives no more memory, threads or descriptors, and the end that
// follows: one clear line and exit code 1, never an exception that nobody catches. See
// doc/decisions/0038. Test: tests/unit/base/last_words_test.cc, tests/integration/test_starved.py.
#pragma once

#include <cerrno>
#include <exception>
#include <utility>

namespace sotto {

// "sotto: WHO: out of memory; allow it more". Needs no memory of its own.
void tell_what_failed(const char* who, const std::exception& error) noexcept;
// The same, then the end of the process: nothing that half of an operation has left is of any use.
[[noreturn]] void end_with(const char* who, const std::exception& error) noexcept;

// For exceptions that nobody can catch: thrown where none may leave, or on a library's own thread.
// What is no want of the host's, but a fault of the program's, still aborts.
void have_last_words() noexcept;

// The body of a thread.
template <class Body>
void run_or_end(const char* who, Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
  } catch (const std::exception& error) {
    end_with(who, error);
  }
}

// A function that a C library calls, through frames that no exception may cross. What it gives
// instead, with errno as if there were no memory, must tell the library that it failed.
template <auto function, auto failure>
struct Guarded;
template <class Result, class... Arguments, Result (*function)(Arguments...), auto failure>
struct Guarded<function, failure> {
  static Result call(Arguments... arguments) noexcept {
    try {
      return function(arguments...);
    } catch (const std::exception&) {
      errno = ENOMEM;
      return static_cast<Result>(failure);
    }
  }
};
template <auto function, auto failure>
inline constexpr auto guarded = &Guarded<function, failure>::call;

}  // namespace sotto
