// The text of an Extended DNS Error, kept inside its owner: finding a cached answer allocates
// nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstdint>
#include <string_view>

namespace sotto {

inline constexpr std::size_t ede_text_octets_max = 64;

// UTF-8, at most ede_text_octets_max octets.
class EdeText {
 public:
  EdeText() = default;
  template <std::convertible_to<std::string_view> Text>
  EdeText(const Text& text) {  // NOLINT
    const std::string_view view = text;
    assert(view.size() <= ede_text_octets_max);
    length_ = static_cast<std::uint8_t>(view.size());
    std::copy(view.begin(), view.end(), letters_.begin());
  }

  std::string_view view() const { return {letters_.data(), length_}; }
  operator std::string_view() const { return view(); }  // NOLINT
  std::size_t size() const { return length_; }
  auto begin() const { return view().begin(); }
  auto end() const { return view().end(); }

  friend bool operator==(const EdeText& left, const EdeText& right) {
    return left.view() == right.view();
  }

 private:
  std::uint8_t length_ = 0;
  std::array<char, ede_text_octets_max> letters_;
};

}  // namespace sotto
