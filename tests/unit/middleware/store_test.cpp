// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/middleware/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>

namespace vz::middleware {
namespace {

constexpr auto kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();

class StoreFile : public ::testing::Test {
 protected:
  StoreFile() {
    std::string name = std::filesystem::temp_directory_path() / "vz-store-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~StoreFile() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path() const { return folder_ / "vz.db"; }
  static std::int64_t channel(Store& store) {
    return store.save({.id = 0, .uuid = "u", .type = "voltage", .properties = {{"title", "U"}}});
  }

  std::filesystem::path folder_;
};

TEST_F(StoreFile, KeepsEveryBitOverARestart) {
  const Row rows[] = {{1, 132.14912345678901}, {2, -0.0},       {3, 5e-324}, {4, 1.7976931348623157e308}, {5, 3.0},
                      {kLatest, 0.1},          {kEarliest, 0.2}};
  std::int64_t id = 0;
  {
    auto store = Store::open(path()).value();
    id = channel(store);
    EXPECT_EQ(store.insert(id, rows, Store::OnDuplicate::refuse).rows, 7);
    EXPECT_FALSE(store.take_error());
  }
  auto store = Store::open(path(), Store::Mode::existing).value();
  const auto back = store.rows(id, 1, 5);
  ASSERT_EQ(back.size(), 5U);
  for (std::size_t i = 0; i < back.size(); ++i) EXPECT_EQ(back[i], rows[i]);
  EXPECT_TRUE(std::signbit(back[1].value));
  EXPECT_EQ(store.rows(id, kEarliest, kLatest).size(), 7U);
  EXPECT_EQ(store.rows(id, kEarliest, kLatest, 3).size(), 3U);
  EXPECT_EQ(store.find("U")->property("title"), "U");
}

TEST_F(StoreFile, IsReadWhileAnotherWrites) {
  auto writer = Store::open(path()).value();
  const auto id = channel(writer);
  auto reader = Store::open(path(), Store::Mode::existing).value();
  const Row row[] = {{1, 2.5}};
  writer.insert(id, row, Store::OnDuplicate::refuse);
  EXPECT_EQ(reader.rows(id, kEarliest, kLatest).size(), 1U);
}

TEST_F(StoreFile, StoresABatchWholeOrNotAtAll) {
  auto store = Store::open(":memory:").value();
  const auto id = channel(store);
  const Row first[] = {{2, 2}};
  const Row batch[] = {{1, 1}, {2, 9}, {3, 3}};
  store.insert(id, first, Store::OnDuplicate::refuse);
  const auto refused = store.insert(id, batch, Store::OnDuplicate::refuse);
  EXPECT_EQ(refused.rows, 0);
  EXPECT_EQ(refused.duplicate, (Row{2, 9}));
  EXPECT_EQ(store.row_count(), 1);
  EXPECT_EQ(store.insert(id, batch, Store::OnDuplicate::skip).rows, 2);
  EXPECT_EQ(store.rows(id, 2, 2).front().value, 2);
}

TEST_F(StoreFile, FindsNeighbours) {
  auto store = Store::open(":memory:").value();
  const auto id = channel(store);
  const Row rows[] = {{10, 0}, {20, 0}, {30, 0}};
  store.insert(id, rows, Store::OnDuplicate::refuse);
  EXPECT_EQ(store.stamp_before(id, 30, 1), 20);
  EXPECT_EQ(store.stamp_before(id, 30, 2), 10);
  EXPECT_EQ(store.stamp_before(id, 20, 2), 10);
  EXPECT_FALSE(store.stamp_before(id, 10, 2));
  EXPECT_EQ(store.stamp_after(id, 10), 20);
  EXPECT_FALSE(store.stamp_after(id, 30));
  EXPECT_EQ(store.erase(id, 10, 20), 2);
}

TEST_F(StoreFile, ReportsAFailureOnceAndGoesOn) {
  auto store = Store::open(":memory:").value();
  const Row row[] = {{1, 1}};
  EXPECT_EQ(store.insert(77, row, Store::OnDuplicate::refuse).rows, 0);  // there is no such channel
  const auto error = store.take_error();
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what, ::testing::HasSubstr("FOREIGN KEY"));
  EXPECT_FALSE(store.take_error());
  EXPECT_EQ(store.insert(channel(store), row, Store::OnDuplicate::refuse).rows, 1);
}

TEST_F(StoreFile, SaysWhyItCannotOpen) {
  EXPECT_THAT(Store::open(folder_ / "none" / "vz.db").error().text(), ::testing::HasSubstr("cannot open the database"));
  EXPECT_FALSE(Store::open(path(), Store::Mode::existing));
  EXPECT_FALSE(std::filesystem::exists(path()));
  std::ofstream(path()) << "this is not a database, only a text that is long enough to look at it for a moment\n";
  EXPECT_THAT(Store::open(path()).error().text(), ::testing::HasSubstr("not a database"));
}

}  // namespace
}  // namespace vz::middleware
