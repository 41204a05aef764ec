// What is kept in small files across restarts: session tickets, addresses of upstreams.
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/address_file_io.h"
#include "app/ticket_file.h"
#include "app/ticket_file_io.h"
#include "cache_file_world.h"
#include "log_lines.h"

namespace sotto {
namespace {

using test::content;
using test::Lines;
using test::TemporaryDirectory;
using test::write_file;

TlsPeerIdentity peer(const std::string& name) {
  TlsPeerIdentity identity;
  identity.endpoint = *SocketAddress::parse("192.0.2.1:853");
  identity.auth_name = name;
  return identity;
}

class TicketKeeperTest : public testing::Test {
 protected:
  // What another process would read now.
  std::vector<PeerTickets> in_file() const {
    const std::string octets = content(path_);
    const auto peers =
        decode_tickets({reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()},
                       std::chrono::floor<std::chrono::milliseconds>(wall_now()));
    return peers ? *peers : std::vector<PeerTickets>{{}};
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_ / "tickets";
  Lines lines_;
  FileCalls calls_;
  TlsTicketStore store_;
  Instant now_ = monotonic_now();
};

TEST_F(TicketKeeperTest, TicketsSurviveARestartAndAreUsedOnce) {
  TicketKeeper before(lines_.log, store_, calls_, path_);
  before.load(now_);
  EXPECT_EQ(before.next_save(), now_ + std::chrono::minutes{1});
  store_.put(peer("a"), {1});
  store_.put(peer("a"), {2});
  store_.put(peer("b"), {3});
  before.save(true, now_);
  EXPECT_EQ(in_file(), store_.all());

  TlsTicketStore later;
  TicketKeeper after(lines_.log, later, calls_, path_);
  after.load(now_);
  EXPECT_EQ(later.all(), store_.all());
  EXPECT_TRUE(lines_.say("tickets=3"));
  EXPECT_EQ(in_file(), std::vector<PeerTickets>{}) << "a crash must not use them again";
}

TEST_F(TicketKeeperTest, IsWrittenOnlyWhenSomethingChanged) {
  TicketKeeper keeper(lines_.log, store_, calls_, path_);
  keeper.load(now_);
  store_.put(peer("a"), {1});
  keeper.save(false, now_);
  EXPECT_EQ(in_file(), store_.all());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  keeper.save(false, now_);
  EXPECT_EQ(directory_.files(), 0U);
  EXPECT_TRUE(store_.take(peer("a")));
  keeper.save(false, now_ + std::chrono::minutes{5});
  EXPECT_EQ(in_file(), std::vector<PeerTickets>{}) << "one that was used is in no file any more";
  EXPECT_EQ(keeper.next_save(), now_ + std::chrono::minutes{6});
}

TEST_F(TicketKeeperTest, ADamagedFileIsRefusedAndReplaced) {
  TicketKeeper keeper(lines_.log, store_, calls_, path_);
  write_file(path_, "sottoT\n\x1A cut");
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  keeper.load(now_);
  EXPECT_TRUE(lines_.say("reason=\"damaged or cut short\""));
  EXPECT_EQ(in_file(), std::vector<PeerTickets>{});
}

// It may be anybody's, whatever its owner meant by its name.
TEST_F(TicketKeeperTest, AFileThatOthersMayReadIsNeitherUsedNorReplaced) {
  write_file(path_, "-----BEGIN CERTIFICATE-----");
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  store_.put(peer("a"), {1});
  TicketKeeper keeper(lines_.log, store_, calls_, path_);
  keeper.load(now_);
  keeper.save(true, now_);
  EXPECT_TRUE(lines_.say("its mode must be 0600"));
  std::ifstream file(path_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "-----BEGIN CERTIFICATE-----");
}

TEST_F(TicketKeeperTest, AFileThatIsNotOursIsLeftAlone) {
  TicketKeeper keeper(lines_.log, store_, calls_, path_);
  write_file(path_, "someone's diary");
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  keeper.load(now_);
  EXPECT_TRUE(lines_.say("is no file of ours"));
  store_.put(peer("a"), {1});
  keeper.save(true, now_);
  EXPECT_EQ(keeper.next_save(), never);
  EXPECT_EQ(content(path_), "someone's diary");
}

TEST_F(TicketKeeperTest, ThatItCannotBeWrittenIsSaidAtTheStart) {
  TicketKeeper(lines_.log, store_, calls_, directory_ / "missing/tickets").load(now_);
  EXPECT_TRUE(lines_.say("its directory must exist"));
}

TEST_F(TicketKeeperTest, WithoutAPathNothingIsKept) {
  TicketKeeper keeper(lines_.log, store_, calls_, "");
  keeper.load(now_);
  store_.put(peer("a"), {1});
  keeper.save(true, now_);
  EXPECT_EQ(keeper.next_save(), never);
}

const HostAddresses some = {{"dns.example", {*IpAddress::parse("192.0.2.1")}}};

TEST(AddressKeeper, AddressesSurviveARestart) {
  const TemporaryDirectory directory;
  Lines lines;
  FileCalls calls;
  AddressKeeper keeper(lines.log, calls, directory / "");
  EXPECT_EQ(keeper.load(), HostAddresses{});
  keeper.save(some);
  EXPECT_EQ(AddressKeeper(lines.log, calls, directory / "").load(), some);
  ASSERT_EQ(::unlink((directory / "addresses").c_str()), 0);
  keeper.save(some);
  EXPECT_EQ(directory.files(), 0U) << "nothing new";
}

TEST(AddressKeeper, WhatIsWrongIsSaidAndNotUsed) {
  const TemporaryDirectory directory;
  Lines lines;
  FileCalls calls;
  const std::string path = directory / "addresses";
  write_file(path, "sotto addresses 1\ndns.example 192.0.2.1\n");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  AddressKeeper keeper(lines.log, calls, directory / "");
  EXPECT_EQ(keeper.load(), HostAddresses{});
  EXPECT_TRUE(lines.say("reason=\"damaged or cut short\""));
  keeper.save(some);
  EXPECT_EQ(AddressKeeper(lines.log, calls, directory / "").load(), some);

  write_file(path, "someone's diary");
  AddressKeeper careful(lines.log, calls, directory / "");
  EXPECT_EQ(careful.load(), HostAddresses{});
  careful.save(some);
  EXPECT_EQ(content(path), "someone's diary");
  AddressKeeper(lines.log, calls, directory / "missing").save(some);
  EXPECT_TRUE(lines.say("bootstrap.unsaved"));
}

}  // namespace
}  // namespace sotto
