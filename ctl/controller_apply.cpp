// SPDX-License-Identifier: Apache-2.0
// The controller's transactions: objects checked one by one as they come, then taken together.
#include <fmt/format.h>

#include "ctl/controller.h"
#include "ctl/transaction.h"

namespace podswitch {
namespace {

using Change = Transaction::Change;

nlohmann::json table_of(const Transaction& transaction) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Transaction::Row& row : transaction.rows())
    rows.push_back({{"kind", to_string(row.kind)},
                    {"name", row.name},
                    {"change", to_string(row.change)},
                    {"details", row.details}});
  return rows;
}

// "port add web and 3 more"
std::string name_of(const Transaction& transaction, const CommitOptions& options) {
  if (options.mode == CommitOptions::Mode::Apply) return "apply: " + transaction.summary();
  const auto& rows = transaction.rows();
  return rows.size() == 1 ? "port add " + rows[0].name
                          : fmt::format("port add {} and {} more", rows[0].name, rows.size() - 1);
}

}  // namespace

TakenObject Controller::read_object(const nlohmann::json& object) const {
  return podswitch::read_object(object);
}

Answer Controller::apply(const Caller& caller, const std::vector<TakenObject>& objects,
                         const CommitOptions& options) {
  Transaction transaction(desired_, options);
  for (const TakenObject& object : objects)
    std::visit([&](const auto& value) { transaction.take(value); }, object);
  transaction.finish(journal_.state(), options_.gateway);
  if (options.mode == CommitOptions::Mode::Diff) return {revision_, table_of(transaction)};

  Draft& draft = transaction.draft();
  if (!draft.edits().empty()) {
    std::vector<PortSpec> discarded;
    for (const Transaction::Row& row : transaction.rows())
      if (row.kind == ObjectKind::Port && row.change == Change::Deleted &&
          desired_.left_out.count(row.name) != 0)
        discarded.push_back(journal_.state().ports.at(row.name));
    commit(caller, draft, name_of(transaction, options),
           prepare_many(draft.next().state, OpenPolicy::Strict, transaction.port_paths()));
    for (const PortSpec& spec : discarded) engine_.discard(spec);
  }
  const size_t added = transaction.count(Change::Added), unchanged = transaction.count(Change::Unchanged);
  nlohmann::json result{{"added", added}, {"unchanged", unchanged}};
  if (options.mode == CommitOptions::Mode::Add) {
    result["message"] = fmt::format("{} ports added, {} unchanged", added, unchanged);
    return {revision_, std::move(result)};
  }
  result["changed"] = transaction.count(Change::Changed);
  result["deleted"] = transaction.count(Change::Deleted);
  result["ignored"] = transaction.ignored();
  result["message"] = fmt::format("{}; revision {}", transaction.summary(), revision_);
  return {revision_, std::move(result)};
}

}  // namespace podswitch
