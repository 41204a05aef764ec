// Writes the generated pages below the folder it is given, doc/.
#include <cstdio>
#include <fstream>
#include <string>

#include "app/help.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: sotto_docs DOC_FOLDER\n", stderr);
    return 2;
  }
  const std::string folder = argv[1];
  bool good = true;
  for (const sotto::GeneratedPage& page : sotto::generated_pages()) {
    std::ofstream file(folder + "/" + page.path);
    file << page.text;
    good = good && file.good();
    std::printf("%s/%s\n", folder.c_str(), page.path.c_str());
  }
  return good ? 0 : 1;
}
