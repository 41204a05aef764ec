/* Kernels that a test cannot have: preloaded into sotto, it changes what system calls do.
 * Environment: SOTTO_TEST_NO_IPV6: socket(2) knows no AF_INET6; SOTTO_TEST_SYNC_HANGS: fsync(2)
 * does not return, as on a network file system whose server is gone. */
#include <errno.h>
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

int fsync(int fd) {
  while (getenv("SOTTO_TEST_SYNC_HANGS") != NULL) pause();
  return (int)syscall(SYS_fsync, fd);
}
