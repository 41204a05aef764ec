// A range of zeroed memory that costs nothing until it is touched.
#pragma once

#include <cstddef>
#include <new>
#include <sys/mman.h>

#include "cache/words.h"

namespace sotto {

class AddressSpace {
 public:
  // Throws std::bad_alloc.
  explicit AddressSpace(std::size_t octets) : octets_(octets) {
    if (octets == 0) return;
    begin_ = ::mmap(nullptr, octets, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (begin_ == MAP_FAILED) throw std::bad_alloc();
    // Two mebibytes at the first touch would be the opposite of what is wanted here.
    ::madvise(begin_, octets, MADV_NOHUGEPAGE);
  }
  ~AddressSpace() {
    if (octets_ > 0) ::munmap(begin_, octets_);
  }
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // offset: in octets, a multiple of word_octets.
  Word* at(std::size_t offset) const {
    return reinterpret_cast<Word*>(static_cast<std::byte*>(begin_) + offset);
  }

 private:
  std::size_t octets_;
  void* begin_ = nullptr;
};

}  // namespace sotto
