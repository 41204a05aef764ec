#include "base/last_words.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>
#include <unistd.h>

#include "base/standard_error.h"

namespace sotto {
namespace {

constexpr int exit_failed = 1;

const char* advice_for(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "; allow it more";
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  if (system == nullptr) return "";
  switch (system->code().value()) {
    case EMFILE:
    case ENFILE:
      return "; allow it more descriptors, with LimitNOFILE= or ulimit -n";
    case EAGAIN:
    case ENOMEM:
      return "; allow it more memory and threads";
    default:
      return "";
  }
}

bool is_want(const std::exception& error) {
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         dynamic_cast<const std::system_error*>(&error) != nullptr;
}

[[noreturn]] void on_terminate() noexcept {
  if (const std::exception_ptr current = std::current_exception()) {
    try {
      std::rethrow_exception(current);
    } catch (const std::exception& error) {
      if (is_want(error)) end_with("cannot go on", error);
      tell_what_failed("fault of the program", error);
    } catch (...) {
      // Nothing here throws anything else.
    }
  }
  std::abort();
}

}  // namespace

void have_last_words() noexcept {
  std::set_terminate(on_terminate);
}

void tell_what_failed(const char* who, const std::exception& error) noexcept {
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  constexpr std::size_t line_octets_max = 512;
  std::array<char, line_octets_max> line{};
  std::snprintf(line.data(), line.size(), "sotto: %s: %s%s\n", who,
                memory ? "out of memory" : error.what(), advice_for(error));
  tell_standard_error(line.data());
}

void end_with(const char* who, const std::exception& error) noexcept {
  tell_what_failed(who, error);
  ::_exit(exit_failed);
}

}  // namespace sotto
