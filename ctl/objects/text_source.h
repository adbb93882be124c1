// SPDX-License-Identifier: Apache-2.0
// A text that is read in pieces, with a bound on what one object of it may take. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <functional>

namespace podswitch {

class TextSource {
 public:
  // Fills the buffer with at most `size` bytes; 0 at the end. May throw.
  using Read = std::function<size_t(char* buffer, size_t size)>;
  explicit TextSource(Read read) : read_(std::move(read)) {}

  // By characters. peek() and advance() only when not at the end. All three throw Error for too long an
  // object.
  bool is_at_end() { return at_ == size_ && !fill(); }
  char peek() const { return chunk_[at_]; }
  void advance() {
    if (chunk_[at_++] == '\n') ++line_;
  }
  // To the last one of the blanks that come next, of what has been read already.
  void skip_blanks() {
    while (at_ + 1 < size_ && is_blank(chunk_[at_]) && is_blank(chunk_[at_ + 1])) advance();
  }
  size_t line() const { return line_; }  // from 1
  // By blocks, what advance() has not passed; 0 at the end.
  size_t take(char* buffer, size_t size);

  // An object is complete: what follows belongs to the next one.
  void begin_object() { since_object_ = 0; }

 private:
  static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  bool fill();

  Read read_;
  std::array<char, 65536> chunk_;
  size_t at_ = 0, size_ = 0;
  size_t line_ = 1;
  size_t since_object_ = 0;  // bytes
};

}  // namespace podswitch
