#include "transport/http2_stream_ids.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(Http2StreamIds, OnlyRise) {
  Http2StreamIds ids;
  EXPECT_TRUE(ids.on_headers(1, false));
  EXPECT_TRUE(ids.on_headers(9, false)) << "some may be left out";
  EXPECT_TRUE(ids.on_headers(1, true)) << "trailers";
  EXPECT_FALSE(ids.on_headers(1, false)) << "it has ended";
  EXPECT_FALSE(ids.on_headers(5, false)) << "never open, and closed by 9";
  EXPECT_FALSE(ids.on_headers(9, false));
  EXPECT_TRUE(ids.on_headers(11, false));
  EXPECT_TRUE(ids.on_headers(2, false)) << "not a client's: nghttp2 refuses it";
}

TEST(Http2StreamIds, TrailersOfWhatWasResetAreInOrder) {
  Http2StreamIds ids;
  constexpr std::uint32_t last = 2 * Http2StreamIds::unfinished_kept + 3;
  for (std::uint32_t id = 1; id <= last; id += 2) EXPECT_TRUE(ids.on_headers(id, false));
  for (std::uint32_t id = 5; id <= last; id += 2) ids.on_unfinished(id);
  EXPECT_TRUE(ids.on_headers(5, false));
  EXPECT_TRUE(ids.on_headers(last, false));
  EXPECT_FALSE(ids.on_headers(3, false));
  ids.on_unfinished(1);
  EXPECT_TRUE(ids.on_headers(1, false));
  EXPECT_TRUE(ids.on_headers(5, false)) << "forgotten, and nobody's fault";
  EXPECT_TRUE(ids.on_headers(3, false)) << "older than what is forgotten";
  EXPECT_TRUE(ids.on_headers(last, false));
}

}  // namespace
}  // namespace sotto
