#include "base/last_words.h"

#include <csignal>
#include <cstddef>
#include <gtest/gtest.h>
#include <new>
#include <stdexcept>
#include <system_error>

namespace sotto {
namespace {

// As C libraries declare theirs.
std::ptrdiff_t takes_evens(int number, void* seen) {
  if (number % 2 != 0) throw std::bad_alloc();
  *static_cast<int*>(seen) = number;
  return number;
}

TEST(Guarded, LetsNoExceptionThrough) {
  int seen = 0;
  std::ptrdiff_t (*const function)(int, void*) = guarded<&takes_evens, -7>;
  EXPECT_EQ(function(2, &seen), 2);
  EXPECT_EQ(seen, 2);
  errno = 0;
  EXPECT_EQ(function(3, &seen), -7);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_EQ(seen, 2);
}

TEST(LastWordsDeathTest, SayWhatIsMissingAndEndWithOne) {
  const auto ended = testing::ExitedWithCode(1);
  EXPECT_EXIT(run_or_end("a worker", [] { throw std::bad_alloc(); }), ended,
              "^sotto: a worker: out of memory; allow it more\n$");
  EXPECT_EXIT(run_or_end("a worker",
                         [] { throw std::system_error(EMFILE, std::generic_category(), "epoll"); }),
              ended, "^sotto: a worker: epoll: .*; allow it more descriptors, with LimitNOFILE=");
  EXPECT_EXIT(run_or_end("a worker", [] { throw std::runtime_error("lost"); }), ended,
              "^sotto: a worker: lost\n$");
}

void throw_where_none_may_leave(const std::exception_ptr& what) noexcept {
  std::rethrow_exception(what);
}

TEST(LastWordsDeathTest, AreHadForWhatNobodyCatches) {
  const auto want = std::make_exception_ptr(std::bad_alloc());
  EXPECT_EXIT((have_last_words(), throw_where_none_may_leave(want)), testing::ExitedWithCode(1),
              "^sotto: cannot go on: out of memory; allow it more\n$");
  const auto fault = std::make_exception_ptr(std::logic_error("a fault"));
  EXPECT_EXIT((have_last_words(), throw_where_none_may_leave(fault)),
              testing::KilledBySignal(SIGABRT), "sotto: fault of the program: a fault");
}

}  // namespace
}  // namespace sotto
