#include "transport/octet_queue.h"

#include <deque>
#include <gtest/gtest.h>
#include <random>
#include <vector>

namespace sotto {
namespace {

TEST(OctetQueue, StartsWithoutABuffer) {
  const OctetQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.capacity(), 0U);
  EXPECT_TRUE(queue.octets().empty());
}

TEST(OctetQueue, KeepsSmallBuffersAndGivesBackBigOnes) {
  OctetQueue queue;
  queue.append(std::vector<std::uint8_t>(OctetQueue::kept_octets_max));
  queue.consume(OctetQueue::kept_octets_max);
  EXPECT_EQ(queue.capacity(), OctetQueue::kept_octets_max);
  queue.append(std::vector<std::uint8_t>(OctetQueue::kept_octets_max + 1));
  queue.consume(1);
  EXPECT_GT(queue.capacity(), OctetQueue::kept_octets_max);
  queue.consume(OctetQueue::kept_octets_max);
  EXPECT_EQ(queue.capacity(), 0U);
}

TEST(OctetQueue, AgainstADeque) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  OctetQueue queue;
  std::deque<std::uint8_t> model;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      const std::size_t wanted = random() % 3'000;
      const auto space = queue.space(wanted);
      ASSERT_GE(space.size(), wanted);
      const std::size_t count = wanted == 0 ? 0 : random() % wanted;
      for (std::size_t i = 0; i < count; ++i) {
        space[i] = static_cast<std::uint8_t>(random());
        model.push_back(space[i]);
      }
      queue.commit(count);
    } else {
      const std::size_t count = std::min<std::size_t>(random() % 3'000, model.size());
      queue.consume(count);
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
    }
    ASSERT_EQ(queue.size(), model.size());
    ASSERT_TRUE(std::equal(model.begin(), model.end(), queue.octets().begin()));
    ASSERT_LE(queue.capacity(), 2 * model.size() + 100'000);
  }
}

}  // namespace
}  // namespace sotto
