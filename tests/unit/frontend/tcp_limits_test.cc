#include "frontend/tcp_limits.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

TEST(TcpLimits, CountsInAllAndPerClient) {
  const IpAddress one = *IpAddress::parse("192.0.2.1");
  const IpAddress other = *IpAddress::parse("192.0.2.2");
  TcpLimits limits;
  limits.set(3, 2);
  limits.opened(one);
  limits.opened(one);
  EXPECT_TRUE(limits.full_for(one));
  EXPECT_FALSE(limits.full_for(other));
  EXPECT_FALSE(limits.full());
  limits.opened(other);
  EXPECT_TRUE(limits.full());
  limits.closed(one);
  EXPECT_FALSE(limits.full());
  EXPECT_FALSE(limits.full_for(one));
  limits.closed(one);
  limits.closed(other);
  EXPECT_EQ(limits.connections(), 0U);
}

}  // namespace
}  // namespace sotto
