// SPDX-License-Identifier: Apache-2.0
// Makes objects of a parser's events and hands each over when it is complete: documents, and the elements of
// a List or of an array, of which only one is held at a time. One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podswitch {

// Where an object stood in its file.
struct ObjectPlace {
  size_t document = 0;
  std::optional<size_t> element;  // of a List's items, or of an array
  bool is_item = false;           // of a List
  // "documents[2].items[3]"; the document is left out when there is only one.
  std::string text(bool has_many_documents) const;
};

// One JSON value, made of events.
class JsonTree {
 public:
  void begin(nlohmann::json container);
  void end() { open_.pop_back(); }
  void key(std::string text);
  void value(nlohmann::json scalar);
  bool is_open() const { return !open_.empty(); }
  size_t depth() const { return open_.size(); }
  const std::string& current_key() const { return key_; }
  const nlohmann::json& root() const { return root_; }
  nlohmann::json take() { return std::exchange(root_, nullptr); }

 private:
  nlohmann::json* put(nlohmann::json value);

  nlohmann::json root_;
  std::vector<nlohmann::json*> open_;
  std::string key_;
};

class ObjectBuilder {
 public:
  using Take = std::function<void(nlohmann::json object, const ObjectPlace& place)>;
  explicit ObjectBuilder(Take take) : take_(std::move(take)) {}

  // All throw Error with an empty path for what is no object, nested too deep, or has a key twice.
  void begin_map() { begin(nlohmann::json::object()); }
  void begin_list() { begin(nlohmann::json::array()); }
  void end();
  void key(std::string text);
  void value(nlohmann::json scalar);
  void end_document();

  size_t documents() const { return document_; }  // that have ended

 private:
  enum class Streaming { No, Array, Items };
  JsonTree& tree() { return streaming_ == Streaming::No ? head_ : element_; }
  void begin(nlohmann::json container);
  void finish_element();
  void finish_head();
  void hand_over(nlohmann::json object, std::optional<size_t> index, bool is_item);

  Take take_;
  JsonTree head_;     // the document without its items
  JsonTree element_;  // of the items
  // Of a member that nobody reads: containers that are open in it. nullopt: nothing is passed over.
  std::optional<size_t> passed_over_;
  Streaming streaming_ = Streaming::No;
  bool has_items_ = false;
  size_t index_ = 0;
  size_t document_ = 0;
  // Items without a kind, which came before the list's.
  std::vector<std::pair<size_t, nlohmann::json>> waiting_;
};

}  // namespace podswitch
