#include "app/file_replacement_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace sotto {

int FileCalls::create(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int FileCalls::open_existing(const std::string& path) {
  // Over NFS only who may write may lock.
  return ::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int FileCalls::lock(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB);
}

int FileCalls::open_directory(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

ssize_t FileCalls::write(int fd, const void* octets, std::size_t count) {
  return ::write(fd, octets, count);
}

int FileCalls::sync(int fd) {
  return ::fsync(fd);
}

int FileCalls::close(int fd) {
  return ::close(fd);
}

int FileCalls::rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str());
}

int FileCalls::unlink(const std::string& path) {
  return ::unlink(path.c_str());
}

// With what to do about it, where that is clear.
std::string file_trouble(std::string_view what, int error) {
  std::string text = std::string(what) + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) text += "; free some space";
  if (error == EACCES || error == EPERM || error == EROFS) {
    text += "; its directory must be writable for sotto";
  }
  return text;
}

namespace {

tl::unexpected<std::string> failed(std::string_view what) {
  return tl::unexpected<std::string>(file_trouble(what, errno));
}

// Does path name the file that fd is?
bool names(const std::string& path, const UniqueFd& fd) {
  struct stat named {};
  struct stat opened {};
  return ::lstat(path.c_str(), &named) == 0 && ::fstat(fd.get(), &opened) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

}  // namespace

FileReplacement::~FileReplacement() {
  if (fd_ >= 0) calls_.close(fd_);
  if (exists_ && names(new_path_, lock_)) calls_.unlink(new_path_);
}

FileDone FileReplacement::create() {
  constexpr int attempts_max = 10;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    busy_ = false;
    FileDone done = remove_left_over();
    if (done && !busy_) done = create_locked();
    if (!busy_) return done;
    // Often the other only tries whether it could write, and is done at once.
  }
  return tl::unexpected<std::string>("another process is writing " + new_path_ +
                                     "; each sotto needs a file of its own");
}

FileDone FileReplacement::lock(const UniqueFd& fd) {
  if (calls_.lock(fd.get()) == 0) {
    // The other may have put it in its place, or removed it, before the lock was ours.
    busy_ = !names(new_path_, fd);
    return {};
  }
  busy_ = errno == EWOULDBLOCK || errno == EINTR;
  return failed("cannot lock " + new_path_);
}

FileDone FileReplacement::remove_left_over() {
  const UniqueFd fd(calls_.open_existing(new_path_));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return {};
  if (fd) {
    const FileDone done = lock(fd);
    if (!done || busy_) return done;
  } else if (errno != ELOOP && errno != ENXIO && errno != EACCES) {
    return failed("cannot open " + new_path_);
  }  // else a link, a pipe, another user's: of no use to anybody
  if (calls_.unlink(new_path_) != 0 && errno != ENOENT) return failed("cannot remove " + new_path_);
  return {};
}

FileDone FileReplacement::create_locked() {
  fd_ = calls_.create(new_path_);
  if (fd_ < 0) {
    busy_ = errno == EEXIST;
    const bool no_directory = errno == ENOENT || errno == ENOTDIR;
    const std::string why = file_trouble("cannot create " + new_path_, errno);
    return tl::unexpected<std::string>(why + (no_directory ? "; its directory must exist" : ""));
  }
  exists_ = true;
  lock_ = UniqueFd(::fcntl(fd_, F_DUPFD_CLOEXEC, 0));
  if (!lock_) return failed("cannot keep " + new_path_ + " open");
  FileDone done = lock(lock_);
  if (busy_) {  // somebody took it for a left-over: it is theirs to remove
    exists_ = false;
    calls_.close(std::exchange(fd_, -1));
  }
  return done;
}

FileDone FileReplacement::write(std::span<const std::uint8_t> octets) {
  while (!octets.empty()) {
    const ssize_t written = calls_.write(fd_, octets.data(), octets.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("cannot write " + new_path_);
    octets = octets.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

FileDone FileReplacement::complete() {
  if (calls_.sync(fd_) != 0) return failed("cannot write " + new_path_);
  // Some network file systems tell only now that there was no room.
  if (calls_.close(std::exchange(fd_, -1)) != 0) return failed("cannot write " + new_path_);
  return {};
}

FileDone FileReplacement::take_place() {
  if (!names(new_path_, lock_)) {
    return tl::unexpected<std::string>(new_path_ + " was taken away by another program");
  }
  if (calls_.rename(new_path_, path_) != 0) return failed("cannot replace " + path_);
  exists_ = false;
  return {};
}

FileDone FileReplacement::sync_directory() {
  const int directory = calls_.open_directory(directory_of(path_));
  // A directory may be writable and not readable; then the kernel chooses when.
  if (directory < 0 && errno == EACCES) return {};
  if (directory < 0) return failed("cannot open the directory of " + path_);
  const bool synced = calls_.sync(directory) == 0;
  const FileDone done = synced ? FileDone() : failed("cannot write the directory of " + path_);
  calls_.close(directory);
  return done;
}

FileDone check_replaceable(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (S_ISREG(status.st_mode)) return {};
  return tl::unexpected<std::string>(path + " is not a regular file");
}

}  // namespace sotto
