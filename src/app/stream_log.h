// What goes wrong with connections of clients, told at level debug: whoever can reach a port can
// make it happen. Test: tests/integration/test_dot.py.
#pragma once

#include <string>

#include "app/logging.h"
#include "frontend/stream_io.h"

namespace sotto {

class StreamLog final : public StreamEvents {
 public:
  explicit StreamLog(Log& log) : log_(log) {}
  void on_stream_failed(StreamTransport transport, const IpAddress& client, StreamFailure cause,
                        const std::string& reason) override;

 private:
  Log& log_;
};

}  // namespace sotto
