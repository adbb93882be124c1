// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/object_reader.h"

#include "pmd/error.h"

namespace podswitch {

size_t read_objects(TextSource::Read read, const ObjectBuilder::Take& take) {
  TextSource source(std::move(read));
  ObjectBuilder builder([&](nlohmann::json object, const ObjectPlace& place) {
    source.begin_object();
    take(std::move(object), place);
  });
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!source.is_at_end() && is_blank(source.peek())) source.advance();
  if (source.is_at_end()) return 0;
  // As kubectl tells them apart: YAML documents that begin so are JSON, too.
  if (source.peek() == '{' || source.peek() == '[')
    read_json(source, builder);
  else
    read_yaml(source, builder);
  return builder.documents();
}

}  // namespace podswitch
