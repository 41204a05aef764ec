#include "naive_message.h"

namespace sotto::test {
namespace {

unsigned number16(std::span<const std::uint8_t> message, std::size_t at) {
  return message[at] * 256U + message[at + 1];
}

std::size_t name_length(const Labels& labels) {
  std::size_t length = 1;
  for (const std::string& label : labels) length += 1 + label.size();
  return length;
}

// part: where the run of labels began; a pointer has to aim before it. pointers: still allowed.
std::optional<NaiveName> read(std::span<const std::uint8_t> message, std::size_t at,
                              std::size_t part, int pointers) {
  if (at >= message.size()) return {};
  const unsigned first = message[at];
  if (first == 0) return NaiveName{{}, at + 1};
  if (first < 64) {
    if (at + 1 + first > message.size()) return {};
    // A chain of labels that runs into itself never ends: RFC 1035's limit ends it.
    if (at - part > 255) return {};
    auto rest = read(message, at + 1 + first, part, pointers);
    if (!rest) return {};
    const auto label = message.subspan(at + 1, first);
    rest->labels.insert(rest->labels.begin(), std::string(label.begin(), label.end()));
    if (name_length(rest->labels) > 255) return {};
    return rest;
  }
  if (first < 192 || at + 2 > message.size() || pointers == 0) return {};
  const std::size_t target = number16(message, at) - 0xC000;
  if (target >= part) return {};
  auto aimed = read(message, target, target, pointers - 1);
  if (!aimed) return {};
  aimed->end = at + 2;
  return aimed;
}

Labels lower(Labels labels) {
  for (std::string& label : labels) {
    for (char& letter : label) {
      if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
  }
  return labels;
}

std::string flat(const Labels& labels) {
  std::string result;
  for (const std::string& label : labels) result += static_cast<char>(label.size()) + label;
  return result + '\0';
}

// What stands in the RDATA of types with names: n a name, digits octets, s a string, * anything.
std::string shape(unsigned type) {
  switch (type) {
    case 2:
    case 3:
    case 4:
    case 5:
    case 7:
    case 8:
    case 9:
    case 12:
      return "n";
    case 6:
      return "nn44444";
    case 14:
    case 17:
      return "nn";
    case 15:
    case 18:
    case 21:
      return "2n";
    case 24:
      return "44442n*";
    case 26:
      return "2nn";
    case 30:
      return "n*";
    case 33:
      return "222n";
    case 35:
      return "22sssn";
    default:
      return "*";
  }
}

std::optional<std::string> naive_rdata(std::span<const std::uint8_t> message, std::size_t at,
                                       std::size_t end, unsigned type) {
  std::string result;
  const auto copy = [&](std::size_t count) {
    if (count > end - at) return false;
    for (; count > 0; --count) result += static_cast<char>(message[at++]);
    return true;
  };
  for (const char part : shape(type)) {
    if (part == '*') {
      copy(end - at);
    } else if (part == 'n') {
      const auto name = naive_name(message.first(end), at);
      if (!name || name->end > end) return {};
      result += flat(name->labels);
      at = name->end;
    } else if (part == 's') {
      if (at == end || !copy(1U + message[at])) return {};
    } else if (!copy(static_cast<std::size_t>(part - '0'))) {
      return {};
    }
  }
  if (at != end) return {};
  return result;
}

std::optional<NaiveRecord> naive_record(std::span<const std::uint8_t> message, std::size_t& at,
                                        int section) {
  const auto owner = naive_name(message, at);
  if (!owner || owner->end + 10 > message.size()) return {};
  NaiveRecord record;
  record.section = section;
  record.owner = lower(owner->labels);
  record.type = number16(message, owner->end);
  record.rclass = number16(message, owner->end + 2);
  record.ttl = number16(message, owner->end + 4) * 65'536UL + number16(message, owner->end + 6);
  const std::size_t begin = owner->end + 10;
  const std::size_t end = begin + number16(message, owner->end + 8);
  if (end > message.size()) return {};
  const auto rdata = naive_rdata(message, begin, end, record.type);
  if (!rdata) return {};
  record.rdata = *rdata;
  at = end;
  return record;
}

}  // namespace

std::optional<NaiveName> naive_name(std::span<const std::uint8_t> message, std::size_t position) {
  return read(message, position, position, 127);
}

unsigned NaiveMessage::count(int section) const {
  unsigned result = 0;
  for (const NaiveRecord& record : records) result += record.section == section ? 1U : 0U;
  return result;
}

std::optional<NaiveMessage> naive_message(std::span<const std::uint8_t> message) {
  if (message.size() < 12 || number16(message, 4) != 1) return {};
  NaiveMessage result;
  result.id = number16(message, 0);
  result.flags = number16(message, 2);
  const auto qname = naive_name(message, 12);
  if (!qname || qname->end + 4 > message.size()) return {};
  result.qname = qname->labels;
  result.qtype = number16(message, qname->end);
  result.qclass = number16(message, qname->end + 2);
  std::size_t at = qname->end + 4;
  for (int section = 0; section < 3; ++section) {
    const unsigned count = number16(message, 6 + 2 * static_cast<std::size_t>(section));
    for (unsigned i = 0; i < count; ++i) {
      const auto record = naive_record(message, at, section);
      if (!record) return {};
      result.records.push_back(*record);
    }
  }
  result.end = at;
  return result;
}

std::optional<std::string> naive_option(const NaiveMessage& message, unsigned code) {
  for (const NaiveRecord& record : message.records) {
    if (record.type != 41) continue;
    const std::vector<std::uint8_t> rdata(record.rdata.begin(), record.rdata.end());
    for (std::size_t at = 0; at + 4 <= rdata.size(); at += 4 + number16(rdata, at + 2)) {
      if (number16(rdata, at) == code) return record.rdata.substr(at + 4, number16(rdata, at + 2));
    }
  }
  return {};
}

}  // namespace sotto::test
