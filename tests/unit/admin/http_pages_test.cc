#include "admin/http_pages.h"

#include <gtest/gtest.h>

namespace sotto {
namespace {

const HttpPages pages{
    {"/one", [] { return HttpAnswer{.text = "first\n"}; }},
    {"/two",
     [] { return HttpAnswer{.status = http_status::service_unavailable, .text = "no\n"}; }}};

TEST(HttpPages, AreMadeForThoseWhoAskWithGetOrHead) {
  for (const char* method : {"GET", "HEAD"}) {
    const HttpAnswer answer = answer_http(pages, method, "/one");
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.text, "first\n");
    EXPECT_EQ(answer.type, "text/plain; charset=utf-8");
  }
  EXPECT_EQ(answer_http(pages, "GET", "/two").status, 503U);
}

TEST(HttpPages, OtherPathsAreToldWhichThereAre) {
  for (const char* path : {"/", "", "/one/", "/On", "*"}) {
    const HttpAnswer answer = answer_http(pages, "GET", path);
    EXPECT_EQ(answer.status, 404U) << path;
    EXPECT_EQ(answer.text, "not found; there are:\n/one\n/two\n") << path;
  }
}

TEST(HttpPages, OtherMethodsMakeNothing) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get", ""}) {
    const HttpAnswer answer = answer_http(pages, method, "/one");
    EXPECT_EQ(answer.status, 405U) << method;
    EXPECT_EQ(answer.text, "ask with GET\n") << method;
  }
}

}  // namespace
}  // namespace sotto
