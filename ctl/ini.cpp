// SPDX-License-Identifier: Apache-2.0
#include "ctl/ini.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ctl/text.h"

namespace podswitch {
namespace {

std::string_view without_comment(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i)
    if ((line[i] == '#' || line[i] == ';') && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t'))
      return line.substr(0, i);
  return line;
}

class Reader {
 public:
  Reader(const std::string& file, std::vector<Problem>& problems) : file_(file), problems_(problems) {}

  void line(std::string_view text, size_t number) {
    where_ = fmt::format("{}:{}", file_, number);
    text = trim(without_comment(text));
    if (text.empty()) return;
    if (!is_plain_text(text)) return problem("has control characters or bytes that are not UTF-8");
    if (text.front() == '[')
      heading(text);
    else
      setting(text);
  }

  std::vector<IniSection> take() { return std::move(sections_); }

 private:
  void problem(std::string message) { problems_.push_back({where_, std::move(message)}); }

  void heading(std::string_view text) {
    is_lost_ = true;
    if (text.back() != ']') return problem(fmt::format("'{}' has no closing ]", text));
    const std::string name(trim(text.substr(1, text.size() - 2)));
    if (name.empty()) return problem("a section needs a name: [workers]");
    is_lost_ = false;
    const auto [found, is_new] = index_.try_emplace(name, sections_.size());
    if (is_new) sections_.push_back({name, where_, {}});
    current_ = found->second;
  }

  void setting(std::string_view text) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos)
      return problem(fmt::format("'{}' is neither a [section] nor 'key = value'", text));
    const std::string name(trim(text.substr(0, equals)));
    if (name.empty()) return problem("a key is missing before '='");
    // What stands under a broken heading has been reported with it.
    if (is_lost_) return;
    if (sections_.empty()) return problem(fmt::format("'{}' stands before the first [section]", name));
    IniSection& section = sections_[current_];
    const auto [first, is_new] = seen_.try_emplace({current_, name}, where_);
    if (!is_new)
      return problem(fmt::format("{}.{}: given twice, first at {}", section.name, name, first->second));
    section.settings.push_back({name, std::string(trim(text.substr(equals + 1))), where_});
  }

  const std::string& file_;
  std::vector<Problem>& problems_;
  std::string where_;
  std::vector<IniSection> sections_;
  std::map<std::string, size_t> index_;
  std::map<std::pair<size_t, std::string>, std::string> seen_;  // section, key: where it was first given
  size_t current_ = 0;
  bool is_lost_ = false;
};

}  // namespace

std::vector<IniSection> read_ini(std::string_view text, const std::string& file,
                                 std::vector<Problem>& problems) {
  Reader reader(file, problems);
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    reader.line(text.substr(0, end), number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.take();
}

}  // namespace podswitch
