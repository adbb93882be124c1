// SPDX-License-Identifier: Apache-2.0
// Cuts a stream into the JSON objects in it, without holding more than one: an array of objects, or objects
// one after another. Plain value, any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace podswitch {

class ObjectSplitter {
 public:
  using Take = std::function<void(const std::string& text, size_t line)>;
  // `take` gets each object's text and the line that it began on.
  explicit ObjectSplitter(Take take) : take_(std::move(take)) {}

  // Both throw Error, with the line where the text went wrong as its path.
  void feed(std::string_view data);
  void finish() const;

 private:
  void between(char c);
  void within(char c);

  Take take_;
  std::string object_;
  size_t line_ = 1;
  size_t begin_ = 1;  // the line on which object_ began
  int depth_ = 0;
  bool in_array_ = false;
  bool has_begun_ = false;  // something other than blanks came
  bool has_ended_ = false;  // the array did
  bool in_string_ = false;
  bool is_escaped_ = false;
};

}  // namespace podswitch
