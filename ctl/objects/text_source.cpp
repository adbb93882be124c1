// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/text_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ctl/protocol.h"
#include "pmd/error.h"

namespace podswitch {

size_t TextSource::take(char* buffer, size_t size) {
  if (is_at_end()) return 0;
  const size_t taken = std::min(size, size_ - at_);
  std::memcpy(buffer, chunk_.data() + at_, taken);
  at_ += taken;
  return taken;
}

bool TextSource::fill() {
  // Counted by chunks: an object may take a little more, never without a bound.
  if (since_object_ > kMaxObjectBytes)
    throw Error("", fmt::format("more than {} bytes without a complete object", kMaxObjectBytes));
  at_ = 0;
  size_ = read_(chunk_.data(), chunk_.size());
  since_object_ += size_;
  return size_ != 0;
}

}  // namespace podswitch
