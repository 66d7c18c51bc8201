// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox/page_salvage.hpp"

#include <optional>

namespace vz {
namespace {

constexpr unsigned kTableLeaf = 0x0d;
constexpr std::size_t kFileHeader = 100;
constexpr std::size_t kPageHeader = 8;
constexpr std::size_t kMaxColumns = 16;

class Bytes {
 public:
  explicit Bytes(std::string_view left) : left_(left) {}
  std::optional<std::uint64_t> varint() {
    std::uint64_t n = 0;
    for (int i = 0; i < 9; ++i) {
      if (left_.empty()) return std::nullopt;
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      if (i == 8) return (n << 8U) | byte;
      n = (n << 7U) | (byte & 0x7fU);
      if ((byte & 0x80U) == 0) return n;
    }
    return std::nullopt;
  }
  std::optional<std::string_view> take(std::uint64_t count) {
    if (count > left_.size()) return std::nullopt;
    const auto taken = left_.substr(0, static_cast<std::size_t>(count));
    left_.remove_prefix(taken.size());
    return taken;
  }
  [[nodiscard]] std::string_view left() const { return left_; }

 private:
  std::string_view left_;
};

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t n = !bytes.empty() && (static_cast<unsigned char>(bytes.front()) & 0x80U) != 0 ? ~std::uint64_t{0} : 0;
  for (const char byte : bytes) n = (n << 8U) | static_cast<unsigned char>(byte);
  return n;
}

std::optional<SalvagedColumn> read_column(std::uint64_t type, Bytes& body) {
  constexpr std::uint64_t kSizes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
  using Kind = SalvagedColumn::Kind;
  if (type == 10 || type == 11) return std::nullopt;
  const std::uint64_t size = type < 10 ? kSizes[type] : (type - 12) / 2;
  const auto bytes = body.take(size);
  if (!bytes) return std::nullopt;
  if (type == 0) return SalvagedColumn{};
  if (type >= 12) return SalvagedColumn{type % 2 == 0 ? Kind::blob : Kind::text, 0, *bytes};
  if (type == 7) return SalvagedColumn{Kind::real, 0, *bytes};
  if (type >= 8) return SalvagedColumn{Kind::integer, static_cast<std::int64_t>(type - 8), {}};
  return SalvagedColumn{Kind::integer, static_cast<std::int64_t>(big_endian(*bytes)), {}};
}

/// The columns of a record; empty if it is none.
std::vector<SalvagedColumn> read_record(std::string_view record) {
  Bytes start(record);
  const auto header_size = start.varint();
  if (!header_size || *header_size > record.size() || *header_size < record.size() - start.left().size()) return {};
  const std::size_t used = record.size() - start.left().size();
  Bytes header(record.substr(used, static_cast<std::size_t>(*header_size) - used));
  Bytes body(record.substr(static_cast<std::size_t>(*header_size)));
  std::vector<SalvagedColumn> columns;
  while (!header.left().empty()) {
    const auto type = header.varint();
    const auto column = type && columns.size() < kMaxColumns ? read_column(*type, body) : std::nullopt;
    if (!column) return {};
    columns.push_back(*column);
  }
  return body.left().empty() ? columns : std::vector<SalvagedColumn>{};
}

}  // namespace

void salvage_rows(std::string_view page, bool first_page,
                  const std::function<void(std::int64_t id, std::span<const SalvagedColumn> columns)>& found) {
  const std::size_t at = first_page ? kFileHeader : 0;
  if (page.size() < at + kPageHeader || static_cast<unsigned char>(page[at]) != kTableLeaf) return;
  const auto word = [&](std::size_t offset) {
    return static_cast<std::size_t>(static_cast<unsigned char>(page[offset])) * 256 +
           static_cast<unsigned char>(page[offset + 1]);
  };
  const std::size_t cells = word(at + 3);
  for (std::size_t i = 0; i < cells; ++i) {
    const std::size_t pointer = at + kPageHeader + 2 * i;
    if (pointer + 2 > page.size() || word(pointer) >= page.size()) return;
    Bytes cell(page.substr(word(pointer)));
    const auto size = cell.varint();
    const auto id = cell.varint();
    if (!size || !id) continue;
    const auto record = cell.take(*size);
    if (!record) continue;
    const auto columns = read_record(*record);
    if (!columns.empty()) found(static_cast<std::int64_t>(*id), columns);
  }
}

}  // namespace vz
