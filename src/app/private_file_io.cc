#include "app/private_file_io.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/socket_io.h"

namespace sotto {
namespace {

tl::unexpected<PrivateFileFault> fault(std::string reason) {
  return tl::unexpected(PrivateFileFault{false, false, std::move(reason)});
}

}  // namespace

tl::expected<std::vector<std::uint8_t>, PrivateFileFault> read_private_file(
    const std::string& path, std::size_t octets_max) {
  // Without O_NONBLOCK a named pipe would be waited for.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) {
    return tl::unexpected(PrivateFileFault{true, true, {}});
  }
  if (!fd && errno == ELOOP) return fault("a symbolic link is not followed");
  if (!fd) return fault(std::strerror(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fault(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return fault("not a regular file");
  if (status.st_uid != ::geteuid()) return fault("it belongs to another user");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fault("others than its owner may use it; its mode must be 0600");
  }
  std::vector<std::uint8_t> octets;
  while (octets.size() <= octets_max) {
    constexpr std::size_t at_once = 65'536;
    const std::size_t before = octets.size();
    octets.resize(before + at_once);
    const ssize_t got = ::read(fd.get(), octets.data() + before, at_once);
    octets.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fault(std::strerror(errno));
    if (got == 0) return octets;
  }
  return fault("it is too large");
}

FileDone write_private_file(const std::string& path, std::span<const std::uint8_t> octets,
                            FileCalls& calls) {
  FileDone done = check_replaceable(path);
  if (!done) return done;
  FileReplacement file(path, calls);
  done = file.create();
  if (done && file.busy()) return tl::unexpected<std::string>("another process is writing it");
  if (done) done = file.write(octets);
  if (done) done = file.complete();
  if (done) done = file.take_place();
  if (done) done = file.sync_directory();
  return done;
}

}  // namespace sotto
