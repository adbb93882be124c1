// SPDX-License-Identifier: Apache-2.0
// The one table of commands. A row makes the command line's grammar, help, completion, the table that people
// see, the check of a request's arguments, and the reference in the README. The client links the rows without
// what they do; the daemon implements Commands. Plain values, any thread.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podswitch {

struct Answer;
struct Call;

// What the rows do, on the daemon's side.
class Commands {
 public:
  virtual ~Commands() = default;
  virtual Answer status(const Call& call) = 0;
  virtual Answer version(const Call& call) = 0;
  virtual Answer log_level(const Call& call) = 0;
  virtual Answer port_add(const Call& call) = 0;
  virtual Answer port_del(const Call& call) = 0;
  virtual Answer port_list(const Call& call) = 0;
  virtual Answer port_show(const Call& call) = 0;
  virtual Answer node_add(const Call& call) = 0;
  virtual Answer node_del(const Call& call) = 0;
  virtual Answer node_list(const Call& call) = 0;
  virtual Answer node_show(const Call& call) = 0;
  virtual Answer network_add(const Call& call) = 0;
  virtual Answer network_del(const Call& call) = 0;
  virtual Answer network_list(const Call& call) = 0;
  virtual Answer network_show(const Call& call) = 0;
  virtual Answer get_nodes(const Call& call) = 0;
  virtual Answer get_services(const Call& call) = 0;
  virtual Answer get_endpointslices(const Call& call) = 0;
  virtual Answer delete_services(const Call& call) = 0;
  virtual Answer delete_endpointslices(const Call& call) = 0;
  virtual Answer route_add(const Call& call) = 0;
  virtual Answer route_del(const Call& call) = 0;
  virtual Answer route_list(const Call& call) = 0;
  virtual Answer service_list(const Call& call) = 0;
  virtual Answer service_show(const Call& call) = 0;
  virtual Answer service_where(const Call& call) = 0;
  virtual Answer fdb_add(const Call& call) = 0;
  virtual Answer fdb_del(const Call& call) = 0;
  virtual Answer fdb_list(const Call& call) = 0;
  virtual Answer neighbour_list(const Call& call) = 0;
  virtual Answer fdb_flush(const Call& call) = 0;
  virtual Answer conntrack_list(const Call& call) = 0;
  virtual Answer conntrack_stats(const Call& call) = 0;
  virtual Answer conntrack_flush(const Call& call) = 0;
  virtual Answer offload_list(const Call& call) = 0;
  virtual Answer worker_list(const Call& call) = 0;
  virtual Answer worker_assign(const Call& call) = 0;
  virtual Answer drops(const Call& call) = 0;
  virtual Answer stats(const Call& call) = 0;
};
using Handler = Answer (Commands::*)(const Call& call);

enum class Shape : uint8_t { Text, Number, Flag, Texts };
enum class Hint : uint8_t { None, Port, Node, Network, Queue, LogLevel, File };  // what completion offers

struct Parameter {
  std::string_view name;        // JSON key; as an option `--name`
  std::string_view value_name;  // "NAME"; empty for a flag
  std::string_view help;
  Shape shape = Shape::Text;
  bool is_positional = false;
  bool is_required = false;
  bool is_local = false;  // means something to the client only
  Hint hint = Hint::None;
  char letter = 0;  // of an option that also has a short form
};

enum class Format : uint8_t { Text, Count, Bytes, BitRate, Share, Seconds, Decimal };

struct Column {
  std::string_view title;
  std::string_view key;
  Format format = Format::Text;
};

enum class View : uint8_t {
  Table,    // an array: a line each
  Record,   // an object: a line per column
  Message,  // an object: its "message"
};

struct Command {
  std::string_view noun;
  std::string_view verb;  // empty: the noun is the whole command
  std::string_view help;
  std::vector<Parameter> parameters = {};
  bool takes_port_options = false;
  View view = View::Message;
  std::vector<Column> columns = {};
  Handler handler = nullptr;       // nullptr: the client does it, alone or by a transaction
  std::string_view table_of = {};  // as a table, the client asks this command instead
  bool is_in_chunks = false;       // the client asks until all of it has come

  std::string name() const;  // "port add", as on the socket
};

std::span<const Command> commands();
std::vector<Command> route_commands();
std::vector<Command> service_commands();
std::vector<Command> network_commands();  // those of its rows about networks stretched over nodes
std::vector<Command> remote_commands();   // and about MAC addresses behind VTEPs
std::vector<Command> conntrack_commands();
std::vector<Command> get_object_commands();
std::vector<Command> delete_object_commands();
std::vector<Command> uplink_commands();  // those of its rows that the client carries out by itself
const Command* find_command(std::string_view name);  // nullptr: no such command

// Throws Error with all that is wrong in a request's arguments, for a row that is known.
void check_arguments(const Command& command, const nlohmann::json& arguments);

}  // namespace podswitch
