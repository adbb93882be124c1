// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "ctl/objects/object_reader.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

// The source as the iterator that the JSON library asks for. All copies read on where any of them stopped. Of
// several blanks between tokens it shows the last one only: most of what kubectl writes is indentation, and
// the library looks long at each character.
class Characters {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  Characters() = default;
  explicit Characters(TextSource& source) : source_(&source) {}
  char operator*() const { return source_->peek(); }
  Characters& operator++() {
    const char c = source_->peek();
    source_->advance();
    if (is_escaped_)
      is_escaped_ = false;
    else if (c == '"')
      in_string_ = !in_string_;
    else if (in_string_)
      is_escaped_ = c == '\\';
    else
      source_->skip_blanks();
    return *this;
  }
  Characters operator++(int) {
    Characters before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Characters& a, const Characters& b) { return a.is_at_end() == b.is_at_end(); }

 private:
  bool is_at_end() const { return source_ == nullptr || source_->is_at_end(); }
  TextSource* source_ = nullptr;
  bool in_string_ = false, is_escaped_ = false;
};

// The parser's events. It reports what is no JSON here, too.
class Events final : public nlohmann::json_sax<Json> {
 public:
  explicit Events(ObjectBuilder& builder) : builder_(builder) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not of a text
  bool start_object(size_t) override {
    builder_.begin_map();
    return true;
  }
  bool key(string_t& text) override {
    builder_.key(std::move(text));
    return true;
  }
  bool end_object() override { return end(); }
  bool start_array(size_t) override {
    builder_.begin_list();
    return true;
  }
  bool end_array() override { return end(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    const std::string text = error.what();
    const size_t begin = text.find("syntax error");
    throw Error("", fmt::format("not JSON: {}", begin == std::string::npos ? text : text.substr(begin)));
  }

 private:
  bool put(Json value) {
    builder_.value(std::move(value));
    return true;
  }
  bool end() {
    builder_.end();
    return true;
  }

  ObjectBuilder& builder_;
};

// Blanks, and the line of dashes that may part JSON documents, too.
void skip_separators(TextSource& source) {
  while (!source.is_at_end()) {
    const char c = source.peek();
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n' && c != '-') return;
    source.advance();
  }
}

}  // namespace

void read_json(TextSource& source, ObjectBuilder& builder) {
  try {
    for (skip_separators(source); !source.is_at_end(); skip_separators(source)) {
      if (const char c = source.peek(); c != '{' && c != '[')
        throw Error("", fmt::format("'{}' where a JSON object should begin", c));
      Events events(builder);
      Json::sax_parse(Characters(source), Characters(), &events, Json::input_format_t::json, false);
      builder.end_document();
    }
  } catch (const Error& error) {
    const Problem& problem = error.problems().front();
    if (!problem.path.empty()) throw;
    throw Error(fmt::format("line {}", source.line()), problem.message);
  }
}

}  // namespace podswitch
