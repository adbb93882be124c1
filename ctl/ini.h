// SPDX-License-Identifier: Apache-2.0
// Reads INI text: sections, `key = value`, comments, and where each stood, so that a message can name file
// and line. Knows nothing of what the keys mean. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pmd/error.h"

namespace podswitch {

struct Setting {
  std::string name;
  std::string value;
  std::string where;  // "podswitch.conf:12" or "--workers.cores"
};

struct IniSection {
  std::string name;
  std::string where;  // of its first heading
  std::vector<Setting> settings;
};

inline constexpr size_t kMaxIniBytes = 1 << 20;

// A section that is opened again goes on; a key given twice in one section is a problem that names both
// lines. '#' and ';' start a comment at the start of a line or after a blank.
std::vector<IniSection> read_ini(std::string_view text, const std::string& file,
                                 std::vector<Problem>& problems);

}  // namespace podswitch
