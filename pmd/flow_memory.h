// SPDX-License-Identifier: Apache-2.0
// The memory that the flow table lies in: anonymous, or a named file which outlives the process, so that a
// daemon that starts again finds its connections. On huge pages where there are enough: anonymous by itself,
// named when the file is on a hugetlbfs. A file is taken when it is ours alone (owner, mode 0600, locked) and
// one of flows; what it holds is believed when it is of this boot, layout and capacity. Its records are
// checked one by one. Configuration thread; keep_time() may be called by any one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "pmd/unique_fd.h"
#include "switch/net/keyed_hash.h"

namespace podswitch {

class FlowMemory {
 public:
  // `path` empty: anonymous. Throws Error with "flows.file" or "flows.capacity" as its path. Flows that are
  // not to be believed are overwritten, with a warning; what is no file of flows is refused.
  FlowMemory(const std::string& path, uint32_t capacity, bool wants_hugepages);
  ~FlowMemory();
  FlowMemory(FlowMemory&& other) noexcept;

  static size_t bytes_for(uint32_t capacity);  // at least; whole pages are taken

  std::span<std::byte> table() const;
  KeyedHash hash() const;
  bool has_former_flows() const { return is_attached_; }
  // What is to be added to a former daemon's seconds to make them this one's, whose clock says `now`.
  uint32_t clock_shift(uint32_t now) const;
  void keep_time(uint32_t now) noexcept;  // once a second, so that a later daemon can tell
  size_t bytes() const { return bytes_; }
  bool has_hugepages() const { return has_hugepages_; }
  const std::string& path() const { return path_; }

 private:
  struct Header;
  void map_anonymous(bool wants_hugepages);
  void map_file();
  void open_file();
  bool is_of_flows() const;
  void take_room(bool is_new);
  bool is_believable(uint32_t capacity) const;
  void begin_anew(uint32_t capacity);
  Header& header() const;

  std::string path_;
  UniqueFd file_;
  std::byte* start_ = nullptr;
  size_t bytes_ = 0;
  bool has_hugepages_ = false;
  bool is_attached_ = false;
};

}  // namespace podswitch
