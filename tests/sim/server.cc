#include "server.h"

#include <algorithm>
#include <utility>

#include "dns/constants.h"
#include "dns/wire.h"
#include "oracle.h"

namespace sotto::sim {
namespace {

// Far from the numbers that clients ask for.
constexpr unsigned unasked_names = 2'000'000;

}  // namespace

Duration Server::thinks() {
  Duration time = std::chrono::microseconds{noise_.below(2'000)};
  if (conditions.on(Fault::reorder, now_)) {
    time += std::chrono::milliseconds{noise_.below(conditions.amount(Fault::reorder) + 1)};
  }
  if (hits(Fault::slow_answers)) time += std::chrono::milliseconds{noise_.below(10'000)};
  return time;
}

std::vector<Octets> Server::respond(const Message& query, Octets& kept, bool more) {
  if (conditions.on(Fault::formerr, now_) && query.edns) {
    // RFC 1035 servers may not even repeat the question.
    return {failure(query, rcode::formerr, noise_.below(2) == 0)};
  }
  if (hits(Fault::servfail)) return {failure(query, rcode::servfail)};
  if (hits(Fault::refused)) return {failure(query, rcode::refused, noise_.below(2) == 0)};
  if (hits(Fault::garbage)) return {garbage()};
  if (hits(Fault::other_question)) return {write_message(about_something_else(query))};
  Message answer = answer_to(query, noise_);
  answer.keepalive_zero = conditions.on(Fault::keepalive_zero, now_);
  Octets message = write_message(answer);
  if (!kept.empty()) {
    const std::uint16_t id = load16(kept.data());
    store16(kept.data(), load16(message.data()));
    store16(message.data(), id);
    return {std::exchange(kept, {}), message};
  }
  if (hits(Fault::swapped_ids)) {
    if (more) {
      kept = std::move(message);
      return {};
    }
    store16(message.data(), noise_.next16());
    return {message};
  }
  if (hits(Fault::other_id)) {
    store16(message.data(), noise_.next16());
    return {message};
  }
  if (hits(Fault::header_only)) {
    message.resize(header_octets);
    return {message};
  }
  if (hits(Fault::duplicate)) return {message, message};
  if (hits(Fault::unasked)) {
    Message other = about_something_else(query);
    other.id = noise_.next16();
    return {write_message(other), message};
  }
  return {message};
}

Octets Server::garbage() {
  Octets octets(noise_.below(64));
  for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(noise_.next16());
  return octets;
}

Message Server::about_something_else(const Message& query) {
  Message other = query;
  other.name = name_numbered(unasked_names + static_cast<unsigned>(noise_.below(1'000)));
  return answer_to(other, noise_);
}

Octets Server::failure(const Message& query, std::uint16_t rcode, bool bare) {
  Message answer = query;
  answer.flags = static_cast<std::uint16_t>(flag::response | flag::recursion_available | rcode);
  answer.edns = query.edns && rcode != rcode::formerr;
  Octets message = write_message(answer);
  if (bare) {
    message.resize(header_octets);
    std::fill(message.begin() + 4, message.end(), std::uint8_t{0});  // the counts
  }
  return message;
}

}  // namespace sotto::sim
