#include <vector>

#include "app/duration.h"
#include "app/option_rows.h"
#include "app/text.h"

namespace sotto {

std::string boolean_text(bool value) {
  return value ? "true" : "false";
}

std::string quoted(std::chrono::milliseconds duration) {
  return toml_string(duration_text(duration));
}

std::span<const Option> options() {
  static const std::vector<Option> table = [] {
    std::vector<Option> all;
    for (const auto& rows : {client_rows(), server_tls_rows(), discovery_rows(), upstream_rows(),
                             cache_rows(), operation_rows()}) {
      all.insert(all.end(), rows.begin(), rows.end());
    }
    return all;
  }();
  return table;
}

}  // namespace sotto
