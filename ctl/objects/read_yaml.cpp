// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <yaml.h>

#include <exception>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "ctl/objects/object_reader.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

std::string_view text_of(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// As JSON writes numbers: what else looks like one, such as 0660 or 0x10, is a text and loses nothing.
bool is_number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - begin;
  };
  const size_t first = at, whole = digits();
  if (whole == 0 || (whole > 1 && text[first] == '0')) return false;
  if (at < text.size() && text[at] == '.' && (++at, digits() == 0)) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// The core schema of YAML 1.2, in which "yes" and "02:00:00:00:00:01" are texts.
Json plain_value(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (is_number(text))
    if (Json number = Json::parse(text, nullptr, false); number.is_number()) return number;
  return text;
}

class Event {
 public:
  explicit Event(yaml_parser_t& parser) : is_good_(yaml_parser_parse(&parser, &event_) != 0) {}
  ~Event() {
    if (is_good_) yaml_event_delete(&event_);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  bool is_good() const { return is_good_; }
  const yaml_event_t* operator->() const { return &event_; }
  size_t line() const { return event_.start_mark.line + 1; }

 private:
  yaml_event_t event_{};
  const bool is_good_;
};

class Parser {
 public:
  Parser(TextSource& source, ObjectBuilder& builder) : source_(source), builder_(builder) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_input(&parser_, &Parser::read, this);
  }
  ~Parser() { yaml_parser_delete(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  void run() {
    while (true) {
      const Event event(parser_);
      if (!event.is_good()) fail();
      if (event->type == YAML_STREAM_END_EVENT) return;
      try {
        take(event);
      } catch (const Error& error) {
        const Problem& problem = error.problems().front();
        if (!problem.path.empty()) throw;
        throw Error(fmt::format("line {}", event.line()), problem.message);
      }
    }
  }

 private:
  struct Level {
    bool is_map = false;
    bool expects_key = false;
  };

  // No exception may pass the library, which is C.
  static int read(void* self, unsigned char* buffer, size_t size, size_t* taken) {
    auto& parser = *static_cast<Parser*>(self);
    try {
      *taken = parser.source_.take(reinterpret_cast<char*>(buffer), size);
      return 1;
    } catch (...) {
      parser.failure_ = std::current_exception();
      return 0;
    }
  }

  [[noreturn]] void fail() {
    size_t line = parser_.problem_mark.line + 1;
    if (parser_.error == YAML_READER_ERROR) line = parser_.mark.line + 1;
    const std::string path = fmt::format("line {}", line);
    if (failure_) {
      try {
        std::rethrow_exception(failure_);
      } catch (const Error& error) {
        throw Error(path, error.problems().front().message);
      }
    }
    throw Error(path, fmt::format("not YAML: {}{}{}", parser_.context == nullptr ? "" : parser_.context,
                                  parser_.context == nullptr ? "" : ", ",
                                  parser_.problem == nullptr ? "no memory" : parser_.problem));
  }

  void take(const Event& event) {
    switch (event->type) {
      case YAML_SCALAR_EVENT:
        return take_scalar(event);
      case YAML_MAPPING_START_EVENT:
        begin(event->data.mapping_start.tag, "tag:yaml.org,2002:map", {true, true});
        return builder_.begin_map();
      case YAML_SEQUENCE_START_EVENT:
        begin(event->data.sequence_start.tag, "tag:yaml.org,2002:seq", {false, false});
        return builder_.begin_list();
      case YAML_MAPPING_END_EVENT:
      case YAML_SEQUENCE_END_EVENT:
        levels_.pop_back();
        value_came();
        return builder_.end();
      case YAML_ALIAS_EVENT:
        throw Error("", fmt::format("'*{}': aliases are not taken, write the value out",
                                    text_of(event->data.alias.anchor)));
      case YAML_DOCUMENT_END_EVENT:
        return builder_.end_document();
      default:
        return;
    }
  }

  void begin(const yaml_char_t* tag, std::string_view right_tag, Level level) {
    if (!levels_.empty() && levels_.back().expects_key)
      throw Error("", "a list or an object where a key should be");
    if (tag != nullptr && text_of(tag) != right_tag && text_of(tag) != "!") refuse_tag(tag);
    levels_.push_back(level);
  }

  [[noreturn]] static void refuse_tag(const yaml_char_t* tag) {
    throw Error("", fmt::format("the tag '{}' is not taken", text_of(tag)));
  }

  void value_came() {
    if (!levels_.empty() && levels_.back().is_map) levels_.back().expects_key = true;
  }

  void take_scalar(const Event& event) {
    const auto& scalar = event->data.scalar;
    const std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    if (!levels_.empty() && levels_.back().expects_key) {
      levels_.back().expects_key = false;
      return builder_.key(text);
    }
    const std::string_view tag = text_of(scalar.tag);
    const bool is_text = tag == "tag:yaml.org,2002:str" || tag == "!";
    if (!tag.empty() && !is_text) refuse_tag(scalar.tag);
    value_came();
    const bool is_plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && !is_text;
    builder_.value(is_plain ? plain_value(text) : Json(text));
  }

  yaml_parser_t parser_{};
  TextSource& source_;
  ObjectBuilder& builder_;
  std::vector<Level> levels_;
  std::exception_ptr failure_;
};

}  // namespace

void read_yaml(TextSource& source, ObjectBuilder& builder) {
  Parser(source, builder).run();
}

}  // namespace podswitch
