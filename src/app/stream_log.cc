#include "app/stream_log.h"

namespace sotto {

void StreamLog::on_stream_failed(StreamTransport transport, const IpAddress& client,
                                 StreamFailure cause, const std::string& reason) {
  if (!log_.wants(LogLevel::debug)) return;
  log_.debug(
      "client.failed", reason,
      {{"transport", to_text(transport)}, {"client", client.text()}, {"cause", to_text(cause)}});
}

}  // namespace sotto
