// SPDX-License-Identifier: GPL-3.0-or-later
// Requests about an outbox on a real file.
#include "local/outbox_desk.hpp"

#include "unit/local/control_fixture.hpp"

namespace vz::local {
namespace {

using Kind = ControlRequest::Kind;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

const QueueName kOpen{"http://mw", "550e8400-e29b-11d4-a716-4466554400aa"};
const QueueName kOld{"http://old", "550e8400-e29b-11d4-a716-4466554400bb"};
const QueueName kHeld{"held http://mw", "550e8400-e29b-11d4-a716-4466554400cc"};

std::optional<std::string> held_endpoint(const QueueName& name) {
  if (!name.endpoint.starts_with("held ")) return std::nullopt;
  return name.endpoint.substr(5);
}

class OutboxDeskTest : public testing::Test {
 protected:
  OutboxDeskTest() {
    {
      DurableOutbox earlier{clock_, log_, settings(), system_files()};
      EXPECT_TRUE(earlier.start());
      for (const QueueName& name : {kOld, kHeld}) {
        const QueueId id = earlier.open(name);
        for (int i = 1; i <= 3; ++i) earlier.push(id, at(i), i * 1.5);
      }
      EXPECT_TRUE(earlier.close(MonoTime::max()));
    }
    outbox_.on_push([] {});
    EXPECT_TRUE(outbox_.start());
    queue_ = outbox_.open(kOpen);
    desk_.emplace(outbox_, std::vector<OutboxDesk::OpenQueue>{{kOpen, queue_, "chn0"}}, held_endpoint);
  }
  DurableSettings settings() const {
    DurableSettings settings;
    settings.path = folder_ / "outbox.db";
    return settings;
  }
  static WallTime at(int second) { return WallTime{milliseconds{1'700'000'000'000 + second * 1000}}; }
  nlohmann::ordered_json ask(Kind kind, QueuePattern queue = {}, QueuePattern to = {},
                             std::vector<std::int64_t> ids = {}) {
    ControlRequest request;
    request.kind = kind;
    request.queue = std::move(queue);
    request.to = std::move(to);
    request.ids = std::move(ids);
    return desk_->answer(request);
  }
  void reject(int count) {
    for (int i = 1; i <= count; ++i) outbox_.push(queue_, at(i), i);
    for (int i = 1; i <= count; ++i) {
      const auto sequence = static_cast<std::uint64_t>(i);
      outbox_.settle(queue_, sequence, sequence, Verdict::rejected, "no such channel");
    }
    EXPECT_TRUE(outbox_.flush(MonoTime::max()));
  }

  test::Folder folder_;
  test::KeptLog log_;
  SystemClock clock_;
  DurableOutbox outbox_{clock_, log_, settings(), system_files()};
  QueueId queue_{};
  std::optional<OutboxDesk> desk_;
};

TEST_F(OutboxDeskTest, ListsQueuesWithoutTheirKeys) {
  outbox_.push(queue_, at(9), 1);
  const auto answer = ask(Kind::queues);
  ASSERT_EQ(answer["queues"].size(), 3U) << answer.dump();
  EXPECT_EQ(answer["queues"][0]["section"], "chn0");
  EXPECT_EQ(answer["queues"][0]["waiting"], 1);
  EXPECT_EQ(answer["queues"][0]["orphan"], false);
  EXPECT_EQ(answer.dump().find("4466554400aa"), std::string::npos);
  EXPECT_EQ(answer.dump().find("4466554400bb"), std::string::npos);
  int unstamped = 0;
  for (const auto& queue : answer["queues"]) {
    if (queue["unstamped"] != true) continue;
    ++unstamped;
    EXPECT_EQ(queue["endpoint"], "http://mw");
    EXPECT_TRUE(queue["oldest"].is_null());
  }
  EXPECT_EQ(unstamped, 1);
}

TEST_F(OutboxDeskTest, RejectedReadingsAreShownAndPutBack) {
  reject(3);
  auto answer = ask(Kind::rejected);
  ASSERT_EQ(answer["readings"].size(), 3U) << answer.dump();
  EXPECT_EQ(answer["readings"][0]["reason"], "no such channel");
  EXPECT_EQ(answer["readings"][0]["channel"], "...4400aa");
  const auto id = answer["readings"][1]["id"].get<std::int64_t>();
  EXPECT_EQ(ask(Kind::requeue, {}, {}, {id, 999'999})["count"], 1);
  EXPECT_EQ(outbox_.stats(queue_).waiting, 1U);
  EXPECT_EQ(ask(Kind::forget, {}, {}, {id + 1})["count"], 1);
  EXPECT_EQ(ask(Kind::rejected)["readings"].size(), 1U);
}

TEST_F(OutboxDeskTest, RejectedReadingsComeInPages) {
  reject(5);
  ControlRequest request;
  request.kind = Kind::rejected;
  request.max = 2;
  std::size_t seen = 0;
  for (int pages = 0; pages < 9; ++pages) {
    const auto page = desk_->answer(request)["readings"];
    if (page.empty()) break;
    EXPECT_LE(page.size(), 2U);
    seen += page.size();
    request.after = page.back()["id"].get<std::int64_t>();
  }
  EXPECT_EQ(seen, 5U);
}

TEST_F(OutboxDeskTest, ExportsByTheEndOfTheUuid) {
  const auto answer = ask(Kind::export_queue, {"...4400bb", ""});
  ASSERT_EQ(answer["readings"].size(), 3U) << answer.dump();
  EXPECT_EQ(answer["readings"][2][1], at(3).time_since_epoch().count());
  EXPECT_EQ(answer["readings"][2][2], 4.5);
  EXPECT_EQ(answer["unstamped"], false);
  EXPECT_EQ(ask(Kind::export_queue, {"4400cc", ""})["unstamped"], true);
}

TEST_F(OutboxDeskTest, OrphansAreHandedOver) {
  EXPECT_EQ(ask(Kind::retarget, {"4400bb", ""}, {"chn0", ""})["count"], 3);
  EXPECT_EQ(outbox_.stats(queue_).waiting, 3U);
}

TEST_F(OutboxDeskTest, ReadingsOfUnknownTimeAreNotHandedOver) {
  EXPECT_THAT(ask(Kind::retarget, {"4400cc", ""}, {"chn0", ""})["error"], HasSubstr("nobody knows the time"));
  EXPECT_EQ(outbox_.stats(queue_).waiting, 0U);
}

TEST_F(OutboxDeskTest, DropsOnlyWhatBelongsToNobody) {
  outbox_.push(queue_, at(1), 1);
  EXPECT_EQ(ask(Kind::drop, {"chn0", ""})["ok"], false);
  EXPECT_EQ(outbox_.stats(queue_).waiting, 1U);
  EXPECT_EQ(ask(Kind::drop, {"4400bb", ""})["count"], 3);
  EXPECT_EQ(ask(Kind::queues)["queues"].size(), 2U);
}

TEST_F(OutboxDeskTest, APatternMustFitOneQueue) {
  EXPECT_THAT(ask(Kind::export_queue, {"4400dd", ""})["error"], HasSubstr("no queue for channel '...4400dd'"));
  EXPECT_THAT(ask(Kind::export_queue, {"bb", ""})["error"], HasSubstr("no queue")) << "two characters name nobody";
  EXPECT_THAT(ask(Kind::export_queue, {"4400bb", "http://mw"})["error"], HasSubstr("at that endpoint"));
}

}  // namespace
}  // namespace vz::local
