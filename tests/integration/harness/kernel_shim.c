/* Kernels that a test cannot have: preloaded into sotto, it changes what system calls do.
 * Environment: SOTTO_TEST_NO_IPV6: socket(2) knows no AF_INET6; SOTTO_TEST_SYNC_HANGS: fsync(2)
 * does not return, as on a network file system whose server is gone; SOTTO_TEST_TELLS_QUICKACK: a
 * line on standard error for each time that TCP_QUICKACK is set; SOTTO_TEST_POLL_LIES: poll(2) finds
 * room on standard error, as if another took it before the write(2). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket(int family, int type, int protocol) {
  if (family == AF_INET6 && getenv("SOTTO_TEST_NO_IPV6") != NULL) {
    errno = EAFNOSUPPORT;
    return -1;
  }
  return (int)syscall(SYS_socket, family, type, protocol);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t octets) {
  static const char line[] = "quickack\n";
  if (level == IPPROTO_TCP && name == TCP_QUICKACK && getenv("SOTTO_TEST_TELLS_QUICKACK") != NULL) {
    if (write(2, line, sizeof line - 1) < 0) return -1;
  }
  return (int)syscall(SYS_setsockopt, fd, level, name, value, octets);
}

int poll(struct pollfd* fds, nfds_t count, int timeout) {
  if (count == 1 && fds->fd == 2 && getenv("SOTTO_TEST_POLL_LIES") != NULL) {
    fds->revents = POLLOUT;
    return 1;
  }
  return (int)syscall(SYS_poll, fds, count, timeout);
}

int fsync(int fd) {
  while (getenv("SOTTO_TEST_SYNC_HANGS") != NULL) pause();
  return (int)syscall(SYS_fsync, fd);
}
