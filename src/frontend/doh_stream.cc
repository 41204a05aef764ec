#include "frontend/doh_stream.h"

#include <algorithm>
#include <charconv>

#include "frontend/doh_request.h"

namespace sotto {
namespace {

constexpr std::string_view http2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view end_of_fields = "\r\n\r\n";
constexpr std::string_view text_media_type = "text/plain; charset=utf-8";

std::span<const std::uint8_t> octets_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool is_upper(char character) {
  return character >= 'A' && character <= 'Z';
}

// "GET /…": a method, which is letters, and a space; or a beginning of that.
bool may_be_http1(std::string_view start) {
  constexpr std::size_t method_octets_max = 16;
  const auto end = std::find_if_not(start.begin(), start.end(), is_upper);
  const auto length = static_cast<std::size_t>(end - start.begin());
  if (length > method_octets_max) return false;
  return end == start.end() || (length > 0 && *end == ' ');
}

std::string http1_response(bool head) {
  constexpr std::string_view words = "DNS is served over HTTP/2 here; HTTP/1.1 is not spoken\n";
  std::string text = "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: ";
  text.append(text_media_type);
  text += "\r\ncontent-length: " + std::to_string(words.size()) + "\r\nconnection: close\r\n\r\n";
  if (!head) text.append(words);
  return text;
}

}  // namespace

void DohStream::receive(std::span<const std::uint8_t> plaintext) {
  if (spoken_ == Spoken::refused) return;
  if (spoken_ == Spoken::http1) return listen_to_http1(plaintext);
  if (spoken_ == Spoken::unknown) {
    const std::size_t seen = start_.size();
    const std::size_t count = std::min(plaintext.size(), http2_preface.size() - seen);
    const auto expected = octets_of(http2_preface.substr(seen, count));
    if (!std::equal(expected.begin(), expected.end(), plaintext.begin())) {
      spoken_ = Spoken::http1;
      return listen_to_http1(plaintext);
    }
    start_.append(plaintext.begin(), plaintext.begin() + static_cast<std::ptrdiff_t>(count));
    if (start_.size() == http2_preface.size()) {
      spoken_ = Spoken::http2;
      start_ = {};
    }
  }
  http2_.receive(plaintext);
  note_ending();
}

// Answered when the fields have ended: whoever closes while the other still writes may destroy its
// own answer.
void DohStream::listen_to_http1(std::span<const std::uint8_t> plaintext) {
  const std::size_t room = http1_octets_max - start_.size();
  const auto part = plaintext.first(std::min(plaintext.size(), room));
  start_.append(part.begin(), part.end());
  if (!may_be_http1(start_)) {
    counters_.ending(Http2Ending::protocol).add();
  } else if (start_.find(end_of_fields) != std::string::npos || part.size() < plaintext.size()) {
    counters_.http1.add();
    http1_response_ = http1_response(start_.starts_with("HEAD "));
  } else {
    return;
  }
  spoken_ = Spoken::refused;
  start_ = {};
}

std::optional<StreamProtocol::Query> DohStream::next() {
  while (const auto request = http2_.next()) {
    const DohQuery query = read_doh_request(*request, path_, decoded_);
    if (query.status == 200) return Query{.message = query.message, .stream = request->stream};
    refuse(request->stream, query.status, query.words);
  }
  return std::nullopt;
}

void DohStream::respond(std::uint32_t stream, std::span<const std::uint8_t> response) {
  std::array<char, 32> control{"max-age="};
  std::string_view cache_control = "no-store";
  if (const auto seconds = freshness(response)) {
    constexpr std::size_t prefix = std::string_view("max-age=").size();
    const auto end =
        std::to_chars(control.data() + prefix, control.data() + control.size(), *seconds).ptr;
    cache_control = {control.data(), static_cast<std::size_t>(end - control.data())};
  }
  counters_.ok.add();
  http2_.respond(stream, {.status = 200,
                          .content_type = dns_message_media_type,
                          .cache_control = cache_control,
                          .allow = {},
                          .body = response});
  note_ending();
}

void DohStream::drop(std::uint32_t stream) {
  refuse(stream, 400, "this is not a DNS query\n");
}

void DohStream::refuse(std::uint32_t stream, std::uint16_t status, std::string_view words) {
  counters_.refused.add();
  http2_.respond(stream, {.status = status,
                          .content_type = text_media_type,
                          .cache_control = {},
                          .allow = status == 405 ? doh_methods : std::string_view(),
                          .body = octets_of(words)});
  note_ending();
}

void DohStream::produce(OctetQueue& plaintext) {
  if (spoken_ == Spoken::http2) {
    http2_.produce(plaintext);
    note_ending();
  } else if (!http1_response_.empty()) {
    plaintext.append(octets_of(http1_response_));
    http1_response_ = {};
  }
}

RecordCut DohStream::record_cut() const {
  return spoken_ == Spoken::http2 ? first_response_octets : whole_record;
}

void DohStream::stop() {
  if (spoken_ == Spoken::http2) return http2_.stop();
  spoken_ = Spoken::refused;
}

void DohStream::note_ending() {
  const Http2Ending ending = http2_.ending();
  if (ending_noted_ || ending == Http2Ending::none || ending == Http2Ending::goodbye) return;
  ending_noted_ = true;
  counters_.ending(ending).add();
}

}  // namespace sotto
