#include <atomic>
#include <pthread.h>
#include <unistd.h>

#include "app/signals.h"
#include "base/standard_error.h"

namespace sotto {
namespace {

constexpr int exit_failed = 1;

std::atomic_flag ending;

// Only what signal-safety(7) allows. The alarm may come to another thread.
void end_at_once(int signal) {
  if (!ending.test_and_set()) {
    // If another fills the pipe between the look and the write below, this ends it all the same.
    ::alarm(1);
    const char* const why =
        signal == SIGALRM   ? "sotto: stopping took too long; what was not saved yet is lost\n"
        : signal == SIGQUIT ? "sotto: stopped by SIGQUIT; nothing is saved\n"
                            : "sotto: stopped by a second signal before all was done\n";
    tell_standard_error(why, std::chrono::milliseconds{0});
  }
  ::_exit(exit_failed);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_NODEFER | SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

Signals::Signals() {
  ::sigemptyset(&waited_for_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&waited_for_, signal);
  ::pthread_sigmask(SIG_BLOCK, &waited_for_, nullptr);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);  // a file at its size limit is a failed write, no more
  // Free for what they may mean one day; other servers reopen logs or tell statistics on them.
  handle(SIGUSR1, SIG_IGN);
  handle(SIGUSR2, SIG_IGN);
  handle(SIGQUIT, end_at_once);
}

int Signals::wait(std::time_t seconds) const {
  const timespec timeout{seconds, 0};
  const int signal = ::sigtimedwait(&waited_for_, nullptr, &timeout);
  return signal > 0 ? signal : 0;
}

void Signals::begin_to_stop() const {
  for (const int signal : {SIGTERM, SIGINT, SIGALRM}) handle(signal, end_at_once);
  ::alarm(stopping_seconds_max);
  sigset_t set{};
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGALRM}) ::sigaddset(&set, signal);
  // In this thread alone, so others are not interrupted in their calls.
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace sotto
