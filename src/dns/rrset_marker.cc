#include "dns/rrset_marker.h"

#include <algorithm>
#include <cassert>

#include "dns/name.h"

namespace sotto {
namespace {

// Behind the owner: type and class before the TTL, RDLENGTH behind it.
constexpr std::size_t ttl_offset = 4;
constexpr std::size_t rdata_length_offset = 8;
constexpr std::size_t record_fixed_octets = 10;

}  // namespace

void RrsetMarker::start_section(std::size_t section) {
  close_unit();
  if (section == 0) records_begin_ = out_.position();
  section_ = section;
  seen_count_ = 0;
}

void RrsetMarker::start_record(const RrsetKey& key, std::span<const std::uint8_t> owner,
                               bool same_owner, std::uint32_t ttl) {
  const bool continues = open_ && same_owner && key == key_;
  if (!continues) {
    const Seen* const seen = open_ ? find_seen(key, owner) : nullptr;
    const bool in_this_unit = seen != nullptr && seen->unit + 1 == ends_.size();
    if (seen != nullptr && !in_this_unit && joins_ < joins_max) {
      ++joins_;
      join_unit(seen->unit);
    } else if (!in_this_unit) {
      close_unit();
      open_unit(key);
      ttl_ = ttl;
    }
  }
  key_ = key;
  if (ttl != ttl_) uneven_ = true;
  ttl_ = std::min(ttl_, ttl);
}

void RrsetMarker::end_record() {
  ++counts_[section_];
  ends_.back() = {.offset = static_cast<std::uint32_t>(out_.position()),
                  .answers = counts_[0],
                  .authorities = counts_[1],
                  .additionals = counts_[2]};
}

RrsetMarker::Seen* RrsetMarker::find_seen(const RrsetKey& key,
                                          std::span<const std::uint8_t> owner) {
  for (Seen& seen : std::span(seen_).first(seen_count_)) {
    if (seen.key != key) continue;
    FlatName name;
    const auto behind = expand_name(out_.view(), seen.owner_at, name);
    assert(behind);
    if (equal_names(name.view(), owner)) return &seen;
  }
  return nullptr;
}

void RrsetMarker::open_unit(const RrsetKey& key) {
  open_ = true;
  uneven_ = false;
  ends_.push_back({});
  if (seen_count_ == seen_max) return;
  seen_[seen_count_++] = {.key = key,
                          .owner_at = static_cast<std::uint32_t>(out_.position()),
                          .unit = ends_.size() - 1};
}

void RrsetMarker::join_unit(std::size_t unit) {
  ends_.resize(unit + 1);
  for (Seen& seen : std::span(seen_).first(seen_count_)) seen.unit = std::min(seen.unit, unit);
  uneven_ = true;
  visit_ttls([this](std::uint8_t* ttl) { ttl_ = std::min(ttl_, load32(ttl)); });
}

void RrsetMarker::close_unit() {
  if (open_ && uneven_) {
    visit_ttls([this](std::uint8_t* ttl) { store32(ttl, ttl_); });
  }
  open_ = false;
}

std::size_t RrsetMarker::unit_begin() const {
  return ends_.size() > 1 ? ends_[ends_.size() - 2].offset : records_begin_;
}

template <class Each>
void RrsetMarker::visit_ttls(Each&& each) {
  std::size_t at = unit_begin();
  while (at < out_.position()) {
    const auto behind = skip_name(out_.view(), at);
    assert(behind);
    std::uint8_t* const fixed = out_.data() + *behind;
    each(fixed + ttl_offset);
    at = *behind + record_fixed_octets + load16(fixed + rdata_length_offset);
  }
}

}  // namespace sotto
