#include "app/query/message_text.h"

#include <array>
#include <optional>

#include "app/query/record_text.h"
#include "app/query/record_types.h"
#include "app/text.h"
#include "dns/constants.h"
#include "dns/name.h"
#include "dns/wire.h"

namespace sotto {

namespace {

using Octets = std::span<const std::uint8_t>;

struct FlagName {
  std::uint16_t bit;
  std::string_view name;
};

constexpr std::array<FlagName, 8> flag_names{{
    {flag::response, "qr"},
    {flag::authoritative, "aa"},
    {flag::truncated, "tc"},
    {flag::recursion_desired, "rd"},
    {flag::recursion_available, "ra"},
    {0x0040, "z"},
    {flag::authentic_data, "ad"},
    {flag::checking_disabled, "cd"},
}};

constexpr std::array<std::string_view, 4> section_names{"QUESTION", "ANSWER", "AUTHORITY",
                                                        "ADDITIONAL"};
constexpr std::size_t answer_section = 1;
constexpr std::size_t opcode_shift = 11;

std::string option_text(std::uint16_t code, Octets data) {
  switch (code) {
    case edns_option::extended_error:
      if (data.size() < 2) return "EDE malformed";
      return extended_error_text(load16(data.data()), data.subspan(2));
    case edns_option::padding:
      return "padding: " + std::to_string(data.size()) + " octets";
    case edns_option::keepalive:
      if (data.size() != 2) return "keepalive: no timeout";
      return "keepalive: " + std::to_string(load16(data.data()) / 10) + "." +
             std::to_string(load16(data.data()) % 10) + "s";
    default:
      return "option " + std::to_string(code) + ": " + (data.empty() ? "empty" : hex(data));
  }
}

// Prints a message section by section.
class Printer {
 public:
  explicit Printer(Octets message) : message_(message), reader_(message) {}

  MessageText print();

 private:
  std::string header();
  void section(std::size_t index, std::uint16_t count);
  bool question();
  bool record(std::size_t section);
  void edns(const MessageRecord& opt);

  Octets message_;
  WireReader reader_;
  MessageText out_;
  std::string edns_;  // printed above the sections, read below them
};

std::string Printer::header() {
  const std::uint16_t id = reader_.take16();
  const std::uint16_t flags = reader_.take16();
  out_.truncated = (flags & flag::truncated) != 0;
  std::string text = ", id: " + std::to_string(id) + ", flags:";
  for (const FlagName& name : flag_names) {
    if ((flags & name.bit) != 0) text += " " + std::string(name.name);
  }
  const unsigned opcode = (flags & flag::opcode_mask) >> opcode_shift;
  if (opcode != 0) text += ", opcode: " + std::to_string(opcode);
  out_.rcode = flags & flag::rcode_mask;
  return text;
}

void Printer::edns(const MessageRecord& opt) {
  // RFC 6891 §6.1.3: TTL is extended RCODE, version, flags.
  const auto extended = static_cast<std::uint16_t>((opt.ttl >> 24U) << 4U);
  out_.rcode = static_cast<std::uint16_t>(out_.rcode | extended);
  edns_ += ";; EDNS: version: " + std::to_string((opt.ttl >> 16U) & 0xFFU) +
           ", udp: " + std::to_string(opt.rclass) +
           ((opt.ttl & edns_do) != 0 ? ", flags: do\n" : "\n");
  WireReader options(message_.first(opt.end), opt.data);
  while (options.ok() && options.left() > 0) {
    const std::uint16_t code = options.take16();
    const Octets data = options.take(options.take16());
    if (options.ok()) edns_ += ";; EDNS " + option_text(code, data) + "\n";
  }
  if (!options.ok()) edns_ += ";; EDNS options are malformed\n";
  out_.whole = out_.whole && options.ok();
}

bool Printer::question() {
  const auto name = read_name(reader_, message_);
  if (!name) return false;
  const std::string type = type_text(reader_.take16());
  const std::string qclass = class_text(reader_.take16());
  if (reader_.ok())
    out_.text += ";" + name_to_text(name->octets()) + "\t" + qclass + "\t" + type + "\n";
  return reader_.ok();
}

bool Printer::record(std::size_t section) {
  const auto record = read_record(reader_, message_);
  if (!record) return false;
  if (record->type == rtype::opt) {
    edns(*record);
    return true;
  }
  if (section == answer_section) out_.answers += record_data_text(*record, message_) + "\n";
  out_.text += record_text(*record, message_) + "\n";
  return true;
}

void Printer::section(std::size_t index, std::uint16_t count) {
  if (count == 0 || !out_.whole) return;
  const std::size_t before = out_.text.size();
  const std::string title = ";; " + std::string(section_names[index]) + "\n";
  out_.text += title;
  for (std::uint16_t i = 0; i < count && out_.whole; ++i) {
    if (index == 0 ? question() : record(index)) continue;
    out_.text += ";; malformed: record " + std::to_string(i + 1) + " of " + std::to_string(count) +
                 " of this section cannot be read\n";
    out_.whole = false;
  }
  // A section that held nothing but OPT.
  if (out_.text.size() == before + title.size()) out_.text.resize(before);
}

MessageText Printer::print() {
  if (message_.size() < header_octets) {
    out_.text = ";; malformed: " + std::to_string(message_.size()) + " octets are no header\n";
    out_.whole = false;
    return std::move(out_);
  }
  const std::string head = header();
  std::array<std::uint16_t, section_names.size()> counts{};
  for (std::uint16_t& count : counts) count = reader_.take16();
  for (std::size_t i = 0; i < counts.size(); ++i) section(i, counts[i]);
  if (out_.whole && reader_.left() > 0) {
    out_.text += ";; " + std::to_string(reader_.left()) + " octets behind the last record\n";
  }
  out_.text = ";; status: " + rcode_text(out_.rcode) + head + "\n" + edns_ + out_.text;
  return std::move(out_);
}

}  // namespace

MessageText message_text(Octets message) {
  return Printer(message).print();
}

}  // namespace sotto
