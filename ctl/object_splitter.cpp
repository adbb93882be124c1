// SPDX-License-Identifier: Apache-2.0
#include "ctl/object_splitter.h"

#include <fmt/format.h>

#include "ctl/protocol.h"
#include "pmd/error.h"

namespace podswitch {

void ObjectSplitter::feed(std::string_view data) {
  for (const char c : data) {
    if (depth_ == 0)
      between(c);
    else
      within(c);
    if (c == '\n') ++line_;
  }
}

void ObjectSplitter::between(char c) {
  if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return;
  const bool is_first = !has_begun_;
  has_begun_ = true;
  if (c == '{' && !has_ended_) {
    object_ = c;
    begin_ = line_;
    depth_ = 1;
  } else if (c == '[' && is_first) {
    in_array_ = true;
  } else if (c == ']' && in_array_ && !has_ended_) {
    has_ended_ = true;
  } else if (c != ',' || !in_array_ || has_ended_) {
    throw Error(
        fmt::format("line {}", line_),
        fmt::format("'{}' where a JSON object should begin: ports are an array of objects, or objects one "
                    "after another",
                    c));
  }
}

void ObjectSplitter::within(char c) {
  object_ += c;
  if (object_.size() > kMaxObjectBytes)
    throw Error(fmt::format("line {}", begin_),
                fmt::format("an object has at most {} bytes", kMaxObjectBytes));
  if (in_string_) {
    if (!is_escaped_ && c == '"') in_string_ = false;
    is_escaped_ = !is_escaped_ && c == '\\';
    return;
  }
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  if (depth_ == 0) take_(object_, begin_);
}

void ObjectSplitter::finish() const {
  if (depth_ != 0) throw Error(fmt::format("line {}", begin_), "the object that begins here does not end");
  if (in_array_ && !has_ended_) throw Error(fmt::format("line {}", line_), "the array does not end");
}

}  // namespace podswitch
