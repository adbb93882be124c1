// SPDX-License-Identifier: Apache-2.0
// A sorted map whose copies share what they have in common: a copy costs one pointer, the first change of it
// a pointer for every 64 entries, each change one piece of at most so many. With thousands of nodes and
// services a state, its draft and its journal would otherwise spend their time on copies. Copies belong to
// one thread; another may read one that is made, and let go, while the first one waits for it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace podswitch {

template <typename Key, typename Value>
class SharedMap {
 public:
  using key_type = Key;
  using mapped_type = Value;
  using value_type = std::pair<Key, Value>;

 private:
  using Piece = std::vector<value_type>;  // sorted; empty only while the first entry is on its way
  using Pieces = std::vector<std::shared_ptr<Piece>>;
  static constexpr size_t kLargest = 64;  // entries of a piece
  struct Place {
    size_t piece;  // the last one that begins at or before the key, or the first
    size_t entry;  // in it, the first one that is not below the key
    bool is_there;
  };

 public:
  // Valid until its map changes.
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = SharedMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    Iterator() = default;
    reference operator*() const { return (**piece_)[entry_]; }
    pointer operator->() const { return &**this; }
    Iterator& operator++() {
      if (++entry_ == (*piece_)->size()) {
        ++piece_;
        entry_ = 0;
      }
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    friend class SharedMap;
    Iterator(typename Pieces::const_iterator piece, size_t entry) : piece_(piece), entry_(entry) {}
    typename Pieces::const_iterator piece_{};
    size_t entry_ = 0;
  };

  Iterator begin() const { return {pieces().begin(), 0}; }
  Iterator end() const { return {pieces().end(), 0}; }
  Iterator find(const Key& key) const {
    const Place place = place_of(key);
    return place.is_there ? Iterator(pieces().begin() + signed_of(place.piece), place.entry) : end();
  }
  // The first one whose key is greater.
  Iterator behind(const Key& key) const {
    const Place place = place_of(key);
    if (empty()) return end();
    auto piece = pieces().begin() + signed_of(place.piece);
    const size_t entry = place.entry + (place.is_there ? 1 : 0);
    return entry < (*piece)->size() ? Iterator(piece, entry) : Iterator(++piece, 0);
  }
  bool contains(const Key& key) const { return place_of(key).is_there; }
  // Throws std::out_of_range.
  const Value& at(const Key& key) const {
    const Place place = place_of(key);
    if (!place.is_there) throw std::out_of_range("SharedMap::at");
    return (*pieces()[place.piece])[place.entry].second;
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Valid until the map is copied or changed.
  Value& operator[](const Key& key) {
    Pieces& pieces = own_pieces();
    if (pieces.empty()) pieces.push_back(std::make_shared<Piece>());
    const Place place = place_of(key);
    Piece& piece = own(place.piece);
    if (place.is_there) return piece[place.entry].second;
    piece.emplace(piece.begin() + signed_of(place.entry), key, Value{});
    ++size_;
    if (piece.size() <= kLargest) return piece[place.entry].second;
    split(place.piece);
    const Place now = place_of(key);
    return (*pieces[now.piece])[now.entry].second;
  }
  void insert_or_assign(const Key& key, Value value) { (*this)[key] = std::move(value); }
  // Whether it was there.
  bool erase(const Key& key) {
    const Place place = place_of(key);
    if (!place.is_there) return false;
    Pieces& pieces = own_pieces();
    Piece& piece = own(place.piece);
    piece.erase(piece.begin() + signed_of(place.entry));
    --size_;
    if (piece.empty())
      pieces.erase(pieces.begin() + signed_of(place.piece));
    else
      join(place.piece);
    return true;
  }

  // Calls visit(key, before, after) for each key whose value is not the same, in their order; nullptr: it is
  // not there. What both share is not looked at.
  template <typename Visit>
  static void for_each_difference(const SharedMap& a, const SharedMap& b, Visit&& visit) {
    if (a.pieces_ == b.pieces_) return;
    Iterator before = a.begin(), after = b.begin();
    while (before != a.end() || after != b.end()) {
      if (before != a.end() && after != b.end() && before.entry_ == 0 && after.entry_ == 0 &&
          *before.piece_ == *after.piece_) {
        ++before.piece_;
        ++after.piece_;
        continue;
      }
      const bool takes_before = after == b.end() || (before != a.end() && !(after->first < before->first));
      const bool takes_after = before == a.end() || (after != b.end() && !(before->first < after->first));
      if (!takes_before || !takes_after || !(before->second == after->second))
        visit(takes_before ? before->first : after->first, takes_before ? &before->second : nullptr,
              takes_after ? &after->second : nullptr);
      if (takes_before) ++before;
      if (takes_after) ++after;
    }
  }

  friend bool operator==(const SharedMap& a, const SharedMap& b) {
    return a.pieces_ == b.pieces_ || (a.size_ == b.size_ && std::equal(a.begin(), a.end(), b.begin()));
  }

 private:
  static std::ptrdiff_t signed_of(size_t i) { return static_cast<std::ptrdiff_t>(i); }

  Place place_of(const Key& key) const {
    const Pieces& pieces = this->pieces();
    if (pieces.empty()) return {0, 0, false};
    const auto after = std::upper_bound(
        pieces.begin(), pieces.end(), key,
        [](const Key& k, const auto& piece) { return !piece->empty() && k < piece->front().first; });
    const auto index = static_cast<size_t>(std::max<std::ptrdiff_t>(after - pieces.begin() - 1, 0));
    const Piece& piece = *pieces[index];
    const auto found =
        std::lower_bound(piece.begin(), piece.end(), key,
                         [](const value_type& entry, const Key& k) { return entry.first < k; });
    return {index, static_cast<size_t>(found - piece.begin()), found != piece.end() && !(key < found->first)};
  }

  const Pieces& pieces() const {
    static const Pieces kNone;
    return pieces_ ? *pieces_ : kNone;
  }

  // All that changes begins here; the others rely on it.
  Pieces& own_pieces() {
    if (!pieces_)
      pieces_ = std::make_shared<Pieces>();
    else if (pieces_.use_count() != 1)
      pieces_ = std::make_shared<Pieces>(*pieces_);
    return *pieces_;
  }

  Piece& own(size_t index) {
    std::shared_ptr<Piece>& piece = (*pieces_)[index];
    if (piece.use_count() != 1) piece = std::make_shared<Piece>(*piece);
    return *piece;
  }

  // Keys that come in order leave full pieces behind.
  void split(size_t index) {
    Pieces& pieces = *pieces_;
    Piece& piece = *pieces[index];
    const size_t keep = index + 1 == pieces.size() ? kLargest : kLargest / 2;
    const auto from = piece.begin() + signed_of(keep);
    auto rest = std::make_shared<Piece>(std::make_move_iterator(from), std::make_move_iterator(piece.end()));
    piece.erase(from, piece.end());
    pieces.insert(pieces.begin() + signed_of(index) + 1, std::move(rest));
  }

  // With the next one, when both are small.
  void join(size_t index) {
    Pieces& pieces = *pieces_;
    if (index + 1 == pieces.size() && index > 0) --index;
    if (index + 1 >= pieces.size()) return;
    if (pieces[index]->size() + pieces[index + 1]->size() > kLargest / 2) return;
    Piece& piece = own(index);
    const Piece& next = *pieces[index + 1];
    piece.insert(piece.end(), next.begin(), next.end());
    pieces.erase(pieces.begin() + signed_of(index) + 1);
  }

  std::shared_ptr<Pieces> pieces_;  // by their keys; nullptr: none
  size_t size_ = 0;
};

}  // namespace podswitch
