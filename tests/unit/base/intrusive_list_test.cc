#include "base/intrusive_list.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <list>
#include <vector>

#include "base/random.h"

namespace sotto {
namespace {

struct Element {
  int number = 0;
  ListHook<Element> hook;
};
using List = IntrusiveList<Element, &Element::hook>;

std::vector<int> numbers(const List& list) {
  std::vector<int> found;
  for (const Element* at = list.front(); at != nullptr; at = List::next(*at)) {
    found.push_back(at->number);
  }
  return found;
}

TEST(IntrusiveList, AgreesWithAStandardList) {
  Random random{11};
  std::vector<Element> elements(20);
  for (int at = 0; at < 20; ++at) elements[static_cast<std::size_t>(at)].number = at;
  List list;
  std::list<int> model;
  for (int step = 0; step < 10'000; ++step) {
    Element& element = elements[random.below(elements.size())];
    if (List::contains(element)) {
      list.remove(element);
      model.remove(element.number);
    } else if (random.below(2) == 0) {
      list.push_back(element);
      model.push_back(element.number);
    } else {
      list.push_front(element);
      model.push_front(element.number);
    }
    ASSERT_EQ(numbers(list), std::vector<int>(model.begin(), model.end()));
    ASSERT_EQ(list.size(), model.size());
    ASSERT_EQ(list.empty(), model.empty());
  }
}

}  // namespace
}  // namespace sotto
