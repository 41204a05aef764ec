#include "app/cache_commands.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "app/query/record_text.h"
#include "app/query/record_types.h"
#include "dns/name.h"

namespace sotto {

namespace {

using Failure = tl::unexpected<std::string>;
using Arguments = std::span<const std::string>;

constexpr std::string_view below_word = "below";

tl::expected<Name, std::string> name_of(const std::string& text) {
  const auto name = name_from_text(text);
  if (!name) return Failure("not a name; write it as in a zone file: www.example.");
  return *name;
}

std::string forgotten_text(std::size_t entries) {
  return std::to_string(entries) + (entries == 1 ? " entry" : " entries") + " forgotten\n";
}

ControlResult flush(CacheControl& cache, Arguments arguments) {
  const bool below = arguments.size() == 2 && arguments[1] == below_word;
  if (arguments.size() > 2 || (arguments.size() == 2 && !below)) {
    return Failure("send cache.flush [NAME [below]]");
  }
  if (arguments.empty()) return forgotten_text(cache.flush());
  const auto name = name_of(arguments[0]);
  if (!name) return Failure(name.error());
  const std::size_t entries = cache.flush(name->octets(), below);
  if (entries > 0 || below) return forgotten_text(entries);
  return "0 entries forgotten; --below forgets the names below it, too\n";
}

using EntryKey = std::tuple<std::uint16_t, std::uint16_t, bool, bool, bool, bool>;

EntryKey key_of(const CachedEntry& entry) {
  const Question::Flags flags = entry.question.flags();
  return {entry.question.qclass(), entry.question.type(), !flags.recursion_desired,
          flags.checking_disabled, flags.dnssec_ok,       entry.failure};
}

ControlResult show(const CacheControl& cache, Arguments arguments) {
  if (arguments.size() != 1) return Failure("send cache.show NAME");
  const auto name = name_of(arguments[0]);
  if (!name) return Failure(name.error());
  std::map<EntryKey, std::string> entries;
  std::size_t octets = 0;
  bool whole = true;
  cache.visit([&](const CachedEntry& entry) {
    if (!equal_names(entry.question.name(), name->octets())) return;
    std::string text = entry_text(entry);
    if (octets + text.size() > cache_show_octets_max) {
      whole = false;
      return;
    }
    octets += text.size();
    entries[key_of(entry)] += text;
  });
  std::string out;
  for (const auto& [key, text] : entries) out += text;
  if (!whole) out += "; more is kept than is shown here\n";
  if (out.empty()) out = "; nothing is kept of " + name_to_text(name->octets()) + "\n";
  return out;
}

// "0.9876"; 0 before the first query.
std::string ratio_text(std::uint64_t part, std::uint64_t rest) {
  if (part == 0) return "0.0000";
  constexpr std::uint64_t scale = 10'000;
  const auto share = static_cast<std::uint64_t>(
      static_cast<double>(part) / (static_cast<double>(part) + static_cast<double>(rest)) * scale);
  return share == scale ? "1.0000" : "0." + std::to_string(scale + share).substr(1);
}

ControlResult stats(const CacheControl& cache, Arguments arguments) {
  if (!arguments.empty()) return Failure("send cache.stats alone");
  const CacheStats kept = cache.stats();
  const LookupTotals lookups = cache.lookups();
  const auto line = [](std::string_view name, std::uint64_t value) {
    return std::string(name) + " " + std::to_string(value) + "\n";
  };
  return line("entries", kept.entries) + line("octets", kept.octets) +
         line("octets_max", kept.octets_max) + line("stored", kept.stored) +
         line("evicted", kept.evicted) + line("hits", lookups.hits) +
         line("misses", lookups.misses) + line("stale", lookups.stale) +
         line("failures_held", lookups.failures_held) + line("prefetched", lookups.prefetched) +
         line("rechecked", lookups.rechecked) + "hit_ratio " +
         ratio_text(lookups.hits, lookups.misses) + "\n";
}

// "RD, CD, DO": those of the question that are set.
std::string flags_text(Question::Flags flags) {
  std::string text;
  if (flags.recursion_desired) text += ", RD";
  if (flags.checking_disabled) text += ", CD";
  if (flags.dnssec_ok) text += ", DO";
  return text;
}

std::int64_t whole_seconds(Duration age) {
  return std::chrono::duration_cast<std::chrono::seconds>(age).count();
}

std::string state_text(const CachedEntry& entry) {
  const std::int64_t age = whole_seconds(entry.age);
  if (entry.failure) return "failure remembered " + std::to_string(age) + " s ago";
  const std::int64_t left = std::int64_t{entry.ttl} - age;
  if (left > 0) return "fresh for " + std::to_string(left) + " s";
  return "expired " + std::to_string(-left) + " s ago";
}

std::string records_text(const CachedEntry& entry) {
  const std::span<const std::uint8_t> message = entry.answer.message;
  WireReader reader(message);
  std::string text;
  constexpr std::size_t question_fixed_octets = 4;  // type and class
  reader.take(header_octets);
  if (!read_name(reader, message)) return text;
  reader.take(question_fixed_octets);
  while (reader.ok() && reader.left() > 0) {
    auto record = read_record(reader, message);
    if (!record) break;
    const std::int64_t left = std::int64_t{record->ttl} - whole_seconds(entry.age);
    record->ttl = static_cast<std::uint32_t>(std::max(left, std::int64_t{0}));
    text += record_text(*record, message) + "\n";
  }
  return text;
}

}  // namespace

std::string entry_text(const CachedEntry& entry) {
  const Question& question = entry.question;
  std::string text = "; " + name_to_text(question.name()) + " " + class_text(question.qclass()) +
                     " " + type_text(question.type()) + flags_text(question.flags()) + ", " +
                     rcode_text(entry.answer.rcode) + ", " + state_text(entry);
  if (const auto& error = entry.answer.extended_error) {
    const std::string_view words = error->text.view();
    const auto* octets = reinterpret_cast<const std::uint8_t*>(words.data());
    text += ", " + extended_error_text(error->code, {octets, words.size()});
  }
  return text + "\n" + records_text(entry);
}

ControlCommands cache_commands(CacheControl& cache) {
  return {{"cache.flush", [&cache](Arguments arguments) { return flush(cache, arguments); }},
          {"cache.show", [&cache](Arguments arguments) { return show(cache, arguments); }},
          {"cache.stats", [&cache](Arguments arguments) { return stats(cache, arguments); }}};
}

}  // namespace sotto
