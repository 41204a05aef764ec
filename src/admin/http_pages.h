// What is served over HTTP to operators: a few pages that are made when they are asked for.
// RFC 9110. Test: tests/unit/admin/http_pages_test.cc.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace sotto {

namespace http_status {
inline constexpr unsigned ok = 200;
inline constexpr unsigned not_found = 404;
inline constexpr unsigned method_not_allowed = 405;
inline constexpr unsigned service_unavailable = 503;
}  // namespace http_status

inline constexpr std::string_view http_plain_text = "text/plain; charset=utf-8";
// What a page can be asked with; HEAD is answered like GET, without the text.
inline constexpr std::string_view http_methods = "GET, HEAD";

struct HttpAnswer {
  unsigned status = http_status::ok;
  std::string text;
  std::string type{http_plain_text};
};

using HttpPage = std::function<HttpAnswer()>;
// By path: "/metrics".
using HttpPages = std::map<std::string, HttpPage, std::less<>>;

// Makes the page, or says which there are and how to ask for them. path: without a query.
HttpAnswer answer_http(const HttpPages& pages, std::string_view method, std::string_view path);

}  // namespace sotto
