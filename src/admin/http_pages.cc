#include "admin/http_pages.h"

namespace sotto {

HttpAnswer answer_http(const HttpPages& pages, std::string_view method, std::string_view path) {
  const auto page = pages.find(path);
  if (page == pages.end()) {
    std::string text = "not found; there are:\n";
    for (const auto& [known, unused] : pages) text += known + "\n";
    return {.status = http_status::not_found, .text = text};
  }
  if (method != "GET" && method != "HEAD") {
    return {.status = http_status::method_not_allowed, .text = "ask with GET\n"};
  }
  return page->second();
}

}  // namespace sotto
