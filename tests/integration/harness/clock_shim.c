/* Moves the boot clock of the process it is loaded into (LD_PRELOAD) by as many milliseconds as the
   file named in SOTTO_TEST_CLOCK holds, at any time: what a suspension of the machine does. A timer
   on the wall clock becomes the pipe named in SOTTO_TEST_CLOCK_SET: what is written there looks
   like the clock being set. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* ahead;
static int wall_timer = -1;

__attribute__((constructor)) static void open_clock(void) {
  const char* path = getenv("SOTTO_TEST_CLOCK");
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) abort();
  void* place = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0);
  if (place == MAP_FAILED) abort();
  close(fd);
  ahead = place;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  if (clock == CLOCK_BOOTTIME && ahead) {
    const int64_t nanoseconds = now->tv_nsec + (*ahead % 1000) * 1000000;
    now->tv_sec += *ahead / 1000 + nanoseconds / 1000000000;
    now->tv_nsec = nanoseconds % 1000000000;
  }
  return 0;
}

int timerfd_create(int clock, int flags) {
  const char* path = getenv("SOTTO_TEST_CLOCK_SET");
  if (clock != CLOCK_REALTIME || !path) return (int)syscall(SYS_timerfd_create, clock, flags);
  wall_timer = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  return wall_timer;
}

int timerfd_settime(int fd, int flags, const struct itimerspec* new, struct itimerspec* old) {
  if (fd == wall_timer) return 0;
  return (int)syscall(SYS_timerfd_settime, fd, flags, new, old);
}
