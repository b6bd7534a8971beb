#include <map>
#include <stdexcept>
#include <string>

extern "C" int count_letters(const char *text, char letter) {
  std::map<char, int> counts;
  for (char c : std::string(text))
    ++counts[c];
  try {
    return counts.at(letter);
  } catch (const std::out_of_range &) {
    return -1;
  }
}
