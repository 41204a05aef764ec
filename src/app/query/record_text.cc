#include "app/query/record_text.h"

#include "app/query/rdata_text.h"
#include "app/query/record_types.h"

namespace sotto {

std::optional<MessageRecord> read_record(WireReader& reader,
                                         std::span<const std::uint8_t> message) {
  MessageRecord record;
  const auto owner = read_name(reader, message);
  if (!owner) return std::nullopt;
  record.owner = *owner;
  record.type = reader.take16();
  record.rclass = reader.take16();
  record.ttl = reader.take32();
  const std::uint16_t length = reader.take16();
  record.data = reader.position();
  reader.take(length);
  record.end = reader.position();
  if (!reader.ok()) return std::nullopt;
  return record;
}

std::string record_data_text(const MessageRecord& record, std::span<const std::uint8_t> message) {
  return rdata_text(record.type, message.first(record.end), record.data);
}

std::string record_text(const MessageRecord& record, std::span<const std::uint8_t> message) {
  return name_to_text(record.owner.octets()) + "\t" + std::to_string(record.ttl) + "\t" +
         class_text(record.rclass) + "\t" + type_text(record.type) + "\t" +
         record_data_text(record, message);
}

std::string extended_error_text(std::uint16_t code, std::span<const std::uint8_t> text) {
  std::string words = "EDE " + std::to_string(code);
  if (const std::string_view name = ede_name(code); !name.empty()) {
    words += " (" + std::string(name) + ")";
  }
  if (!text.empty()) words += ": " + quoted_string(text);
  return words;
}

}  // namespace sotto
