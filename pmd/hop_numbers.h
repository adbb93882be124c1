// SPDX-License-Identifier: Apache-2.0
// The numbers of next hops by name, and what each stood for when it was last planned. A name keeps its number
// as long as somebody uses it. Configuration thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pmd/underlay.h"

namespace podswitch {

class HopNumbers {
 public:
  // One more use of the name. Throws Error when there are no more numbers.
  NextHopId take(const std::string& name);
  // One less.
  void give_back(const std::string& name);
  // Numbers that nobody used any more when this was last called are free for others: by then no revision
  // names them for what they were.
  void recycle();
  std::map<NextHopId, std::string> names() const;
  // What the number stands for from now on. What has not changed stays the same object.
  void set(const PlannedHop& planned);
  // Those of all names that are used.
  const PlannedHops& planned() const { return planned_; }
  // What was set since then is kept, or taken back where it was another before.
  void keep_changes() { before_.clear(); }
  void undo_changes();

 private:
  struct Use {
    NextHopId id = 0;
    size_t count = 0;
  };
  std::map<std::string, Use> ids_;
  std::vector<NextHopId> free_, soon_free_;
  NextHopId next_ = 0;
  PlannedHops planned_;
  std::vector<std::shared_ptr<const PlannedHop>> before_;
};

}  // namespace podswitch
