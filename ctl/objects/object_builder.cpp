// SPDX-License-Identifier: Apache-2.0
#include "ctl/objects/object_builder.h"

#include <fmt/format.h>

#include "ctl/protocol.h"
#include "pmd/error.h"

namespace podswitch {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kList = "List";
constexpr size_t kMaxObjectDepth = kMaxDepth - 1;  // the line that carries it is an object itself
constexpr size_t kMaxWaiting = 65536;              // items

// What Kubernetes writes about an object inside of it, and no reader here looks at: half of a cluster.
bool is_unread(std::string_view key) {
  return key == "managedFields" || key == "ownerReferences" || key == "targetRef";
}

std::string kind_of_list(const Json& head) {
  const auto kind = head.find("kind");
  return kind != head.end() && kind->is_string() ? kind->get<std::string>() : std::string();
}

Error too_deep() {
  return Error("", fmt::format("nested more than {} deep", kMaxObjectDepth));
}

// A NodeList's items need not say that they are Nodes.
void complete(Json& item, const Json& list) {
  const std::string kind = kind_of_list(list);
  if (item.contains("kind") || kind.size() <= kList.size()) return;
  item["kind"] = kind.substr(0, kind.size() - kList.size());
  if (const auto version = list.find("apiVersion"); version != list.end() && !item.contains("apiVersion"))
    item["apiVersion"] = *version;
}

}  // namespace

std::string ObjectPlace::text(bool has_many_documents) const {
  std::string text = has_many_documents ? fmt::format("documents[{}]", document) : "";
  if (!element) return text;
  if (is_item) text += text.empty() ? "items" : ".items";
  return text + fmt::format("[{}]", *element);
}

void JsonTree::begin(Json container) {
  if (open_.size() == kMaxObjectDepth) throw too_deep();
  open_.push_back(put(std::move(container)));
}

void JsonTree::key(std::string text) {
  if (open_.back()->contains(text))
    throw Error("", fmt::format("the key '{}' comes twice in one object", text));
  key_ = std::move(text);
}

void JsonTree::value(Json scalar) {
  put(std::move(scalar));
}

Json* JsonTree::put(Json value) {
  if (open_.empty()) {
    root_ = std::move(value);
    return &root_;
  }
  Json& container = *open_.back();
  if (container.is_array()) {
    container.push_back(std::move(value));
    return &container.back();
  }
  return &(container[key_] = std::move(value));
}

void ObjectBuilder::key(std::string text) {
  if (passed_over_) return;
  if (tree().depth() > 1 && is_unread(text))
    passed_over_ = 0;
  else
    tree().key(std::move(text));
}

void ObjectBuilder::begin(Json container) {
  if (passed_over_) {
    if (tree().depth() + ++*passed_over_ > kMaxObjectDepth) throw too_deep();
    return;
  }
  if (streaming_ != Streaming::No) {
    if (!element_.is_open() && container.is_array()) throw Error("", "a list where an object should begin");
    return element_.begin(std::move(container));
  }
  if (container.is_array() && !head_.is_open()) {
    streaming_ = Streaming::Array;
    index_ = 0;
    return;
  }
  if (container.is_array() && head_.depth() == 1 && head_.current_key() == "items") {
    if (has_items_) throw Error("", "the key 'items' comes twice in one object");
    streaming_ = Streaming::Items;
    has_items_ = true;
    index_ = 0;
    return;
  }
  head_.begin(std::move(container));
}

void ObjectBuilder::end() {
  if (passed_over_) {
    if (--*passed_over_ == 0) passed_over_.reset();
    return;
  }
  if (streaming_ == Streaming::No) {
    head_.end();
    if (!head_.is_open()) finish_head();
  } else if (element_.is_open()) {
    element_.end();
    if (!element_.is_open()) finish_element();
  } else {
    streaming_ = Streaming::No;
  }
}

void ObjectBuilder::value(Json scalar) {
  if (passed_over_) {
    if (*passed_over_ == 0) passed_over_.reset();
    return;
  }
  JsonTree& at = tree();
  if (at.is_open()) return at.value(std::move(scalar));
  // An empty YAML document is a null.
  if (streaming_ == Streaming::No && scalar.is_null()) return;
  throw Error("", fmt::format("{} where an object should begin", scalar.dump().substr(0, 40)));
}

void ObjectBuilder::end_document() {
  ++document_;
}

void ObjectBuilder::finish_element() {
  Json object = element_.take();
  const size_t index = index_++;
  const bool is_item = streaming_ == Streaming::Items;
  if (is_item && !object.contains("kind")) {
    if (head_.root().contains("kind")) {
      complete(object, head_.root());
    } else {
      if (waiting_.size() == kMaxWaiting)
        throw Error("", fmt::format("more than {} items without a kind, before the list's own", kMaxWaiting));
      waiting_.emplace_back(index, std::move(object));
      return;
    }
  }
  hand_over(std::move(object), index, is_item);
}

void ObjectBuilder::finish_head() {
  Json head = head_.take();
  const std::string kind = kind_of_list(head);
  const bool is_list = kind.ends_with(kList);
  if (has_items_ && !is_list)
    throw Error("", kind.empty() ? "an object with items has no kind: it should be List"
                                 : fmt::format("'items' in an object of kind {}, which is no List", kind));
  has_items_ = false;
  for (auto& [index, item] : std::exchange(waiting_, {})) {
    complete(item, head);
    hand_over(std::move(item), index, true);
  }
  // Go writes an empty list as null.
  const bool is_empty_list = is_list && (!head.contains("items") || head.at("items").is_null());
  if (!is_empty_list) hand_over(std::move(head), std::nullopt, false);
}

void ObjectBuilder::hand_over(Json object, std::optional<size_t> index, bool is_item) {
  take_(std::move(object), {document_, index, is_item});
}

}  // namespace podswitch
