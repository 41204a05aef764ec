#include "app/config_source.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace sotto {
namespace {

class ConfigSourceTest : public testing::Test {
 protected:
  ConfigSourceTest() {
    std::string pattern = testing::TempDir() + "sotto-config-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ConfigSourceTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }

  ConfigSource source(const std::optional<std::string>& file,
                      const CommandLineSettings& settings = {}) const {
    return {file, settings, [this](const char* name) {
              const auto found = environment_.find(name);
              return found == environment_.end() ? nullptr : found->second.c_str();
            }};
  }

  static std::string errors_of(const ConfigSource& source) {
    const auto loaded = source.load();
    if (loaded) return "";
    std::string text;
    for (const ConfigError& error : loaded.error()) text += error.text() + "\n";
    return text;
  }

  std::string folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(ConfigSourceTest, TheCommandLineBeatsTheEnvironmentBeatsTheFile) {
  const std::string file =
      write("a.toml", "[log]\nlevel = \"error\"\n[listen]\nudp = [\"127.0.0.1:1\"]\n");
  EXPECT_EQ(source(file).load()->config.log.level, LogLevel::error);
  environment_["SOTTO_LOG_LEVEL"] = "warning";
  environment_["SOTTO_LISTEN"] = "127.0.0.1:2, [::1]:2";
  environment_["SOTTO_UPSTREAM"] = "quad9,tls://192.0.2.1";
  auto loaded = source(file).load();
  EXPECT_EQ(loaded->config.log.level, LogLevel::warning);
  EXPECT_EQ(loaded->config.listen.tcp.size(), 2U);
  EXPECT_EQ(loaded->config.upstreams.at(1).name, "tls://192.0.2.1");
  loaded = source(file, {{"--log-level", {"debug"}}, {"--listen", {"127.0.0.1:3"}}}).load();
  EXPECT_EQ(loaded->config.log.level, LogLevel::debug);
  EXPECT_EQ(loaded->config.listen.udp.at(0).address.port, 3);
  environment_["SOTTO_LOG_LEVEL"] = "";
  EXPECT_EQ(source(file).load()->config.log.level, LogLevel::error) << "empty counts as unset";
}

TEST_F(ConfigSourceTest, TheEnvironmentNamesTheFileUnlessTheCommandLineDoes) {
  environment_["SOTTO_CONFIG"] = write("env.toml", "workers = 2\n");
  EXPECT_EQ(source(std::nullopt).load()->config.workers, 2U);
  EXPECT_EQ(source(write("cli.toml", "workers = 3\n")).load()->config.workers, 3U);
}

TEST_F(ConfigSourceTest, FilesThatCannotBeRead) {
  EXPECT_EQ(errors_of(source(folder_ + "/none")),
            "--config: cannot read the configuration file (\"" + folder_ +
                "/none\"); No such file or directory\n");
  EXPECT_EQ(errors_of(source(folder_)), "--config: cannot read the configuration file (\"" +
                                            folder_ + "\"); it is a directory\n");
  EXPECT_EQ(errors_of(source(write("big", std::string(2U << 20U, '#')))),
            "--config: cannot read the configuration file (\"" + folder_ +
                "/big\"); it is larger than 1 MiB\n");
  environment_["SOTTO_CONFIG"] = folder_ + "/none";
  EXPECT_EQ(errors_of(source(std::nullopt)),
            "SOTTO_CONFIG: cannot read the configuration file (\"" + folder_ +
                "/none\"); No such file or directory\n");
}

TEST_F(ConfigSourceTest, CaFilesAreReadBeforeAnythingStarts) {
  const std::string file =
      write("a.toml", "workers = 0\n[[upstream]]\nurl = \"quad9\"\nca_file = \"none.pem\"\n");
  EXPECT_EQ(errors_of(source(file)),
            file + ":1:11: workers is out of range (\"0\"); it must be from 1 to 256\n" + file +
                ":4:11: cannot read the CA file (\"" + folder_ +
                "/none.pem\"); No such file or directory\n");
  const std::string empty = write("empty.pem", "no certificate\n");
  environment_["SOTTO_CA_FILE"] = empty;
  EXPECT_EQ(errors_of(source(write("b.toml", ""))),
            "SOTTO_CA_FILE: no certificate can be read from the CA file (\"" + empty +
                "\"); it must hold certificates in PEM form\n");
}

TEST_F(ConfigSourceTest, ALoadReadsTheFileAnew) {
  const std::string file = write("a.toml", "workers = 2\n");
  const ConfigSource config = source(file);
  EXPECT_EQ(config.load()->config.workers, 2U);
  write("a.toml", "workers = 4\n");
  const auto loaded = config.load();
  EXPECT_EQ(loaded->config.workers, 4U);
  EXPECT_EQ(loaded->file, file);
  write("a.toml", "workers = \n");
  EXPECT_FALSE(config.load().has_value());
}

TEST_F(ConfigSourceTest, TrustComesWithTheConfiguration) {
  const auto loaded = source(write("a.toml", "")).load();
  ASSERT_TRUE(loaded.has_value());
  ASSERT_EQ(loaded->trust.count(""), 1U);
  EXPECT_GT(loaded->trust.at("")->certificates(), 0U);
}

}  // namespace
}  // namespace sotto
