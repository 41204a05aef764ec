#include "frontend/stream_limits.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(StreamLimits, CountsInAllAndPerClient) {
  const IpAddress one = *IpAddress::parse("192.0.2.1");
  const IpAddress other = *IpAddress::parse("192.0.2.2");
  StreamLimits limits;
  limits.set(3, 2);
  for (const IpAddress& client : {one, one}) {
    limits.opened();
    limits.opened_for(client);
  }
  EXPECT_TRUE(limits.full_for(one));
  EXPECT_FALSE(limits.full_for(other));
  EXPECT_FALSE(limits.full());
  limits.opened();  // of whom is not known yet
  EXPECT_TRUE(limits.full());
  EXPECT_FALSE(limits.full_for(other));
  limits.opened_for(other);
  limits.closed();
  limits.closed_for(one);
  EXPECT_FALSE(limits.full());
  EXPECT_FALSE(limits.full_for(one));
  EXPECT_EQ(limits.connections(), 2U);
}

}  // namespace
}  // namespace sotto
