#include <pthread.h>
#include <unistd.h>
#include <utility>

#include "app/signals.h"
#include "base/last_words.h"
#include "base/standard_error.h"

namespace sotto {
namespace {

constexpr int exit_failed = 1;

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

// If another fills the pipe between the look and the write below, an alarm ends it all the same.
void end_in_a_second() {
  handle(SIGALRM, [](int) { ::_exit(exit_failed); });
  sigset_t alarm_only{};
  ::sigemptyset(&alarm_only);
  ::sigaddset(&alarm_only, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  ::alarm(1);
}

// Waits for nobody: not for a full pipe either.
[[noreturn]] void end_at_once(int signal) {
  end_in_a_second();
  const char* const why =
      signal == SIGALRM   ? "sotto: stopping took too long; what was not saved yet is lost\n"
      : signal == SIGQUIT ? "sotto: stopped by SIGQUIT; nothing is saved\n"
                          : "sotto: stopped by a second signal before all was done\n";
  tell_standard_error(why, std::chrono::milliseconds{0});
  ::_exit(exit_failed);
}

}  // namespace

Signals::Signals() {
  ::sigemptyset(&listened_to_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM}) {
    ::sigaddset(&listened_to_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &listened_to_, nullptr);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);  // a file at its size limit is a failed write, no more
  // Free for what they may mean one day; other servers reopen logs or tell statistics on them.
  handle(SIGUSR1, SIG_IGN);
  handle(SIGUSR2, SIG_IGN);
  thread_ = std::thread([this] { run_or_end("signals", [this] { listen(); }); });
}

Signals::~Signals() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  ::pthread_kill(thread_.native_handle(), SIGHUP);
  thread_.join();
}

void Signals::listen() {
  int signal = 0;
  do {
    ::sigwait(&listened_to_, &signal);
  } while (take(signal));
}

// False when it is over.
bool Signals::take(int signal) {
  const std::lock_guard lock(mutex_);
  if (over_) return false;
  if (signal == SIGHUP) {
    reload_ = true;
  } else if ((signal == SIGTERM || signal == SIGINT) && stop_ == 0) {
    stop_ = signal;
    ::alarm(stopping_seconds_max);
  } else {
    end_at_once(signal);
  }
  came_.notify_one();
  return true;
}

int Signals::wait(std::chrono::seconds time) {
  std::unique_lock lock(mutex_);
  came_.wait_for(lock, time, [this] { return stop_ != 0 || reload_; });
  if (stop_ != 0) return stop_;
  return std::exchange(reload_, false) ? SIGHUP : 0;
}

}  // namespace sotto
