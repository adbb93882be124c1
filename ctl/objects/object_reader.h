// SPDX-License-Identifier: Apache-2.0
// Objects out of a file as kubectl would take it: JSON or YAML, one object, several documents, a List, or an
// array. Streams: it holds one object, and bounds what one may take. What a file says is untrusted: depth and
// size have limits, and YAML's aliases, of which a small text can make a huge value, are refused. One thread.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "ctl/objects/object_builder.h"
#include "ctl/objects/text_source.h"

namespace podswitch {

// Returns how many documents there were. Throws Error with "line N" as its path, or what `take` throws.
size_t read_objects(TextSource::Read read, const ObjectBuilder::Take& take);

// The two forms; the text is the rest of `source`.
void read_json(TextSource& source, ObjectBuilder& builder);
void read_yaml(TextSource& source, ObjectBuilder& builder);

}  // namespace podswitch
