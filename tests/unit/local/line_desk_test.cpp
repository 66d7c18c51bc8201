// SPDX-License-Identifier: GPL-3.0-or-later
#include "local/line_desk.hpp"

#include <unistd.h>

#include "unit/local/control_fixture.hpp"

namespace vz::local {
namespace {

using std::chrono::seconds;
using test::FakeLine;
using ::testing::HasSubstr;

class LineDeskTest : public testing::Test {
 protected:
  LineDeskTest() {
    for (FakeLine* line : {&usb_, &net_}) line->on_released([] {});
  }
  static ControlRequest lend(std::string device, seconds limit = seconds{60}) {
    ControlRequest request;
    request.kind = ControlRequest::Kind::lend;
    request.device = std::move(device);
    request.limit = limit;
    return request;
  }
  static std::string error(const nlohmann::ordered_json& answer) { return answer.value("error", ""); }

  test::KeptLog log_;
  FakeLine usb_{0, SerialPort{"/dev/null"}};
  FakeLine net_{2, TcpPeer{"ser2net", "3001"}};
  LineDesk desk_{{&usb_, &net_}, log_};
  MonoTime now_{seconds{1000}};
  LineDesk::Client a_{1, 100};
  LineDesk::Client b_{2, 200};
};

TEST_F(LineDeskTest, LendsAndTakesBack) {
  const auto answer = desk_.lend(lend("/dev/null"), a_, now_);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->dump(), R"({"ok":true,"meters":[0],"seconds":60})");
  EXPECT_EQ(usb_.held(), Hold::lent);
  EXPECT_EQ(net_.held(), Hold::none);
  EXPECT_TRUE(desk_.borrows(1));
  EXPECT_EQ(desk_.back(1, now_ + seconds{5}).dump(), R"({"ok":true,"meters":[0]})");
  EXPECT_EQ(usb_.held(), Hold::none);
  EXPECT_FALSE(desk_.next_deadline());
  EXPECT_THAT(log_.all(), HasSubstr("[mtr0] /dev/null is lent to process 100 for 60 s at most"));
  EXPECT_THAT(log_.all(), HasSubstr("[mtr0] /dev/null was given back after 5 s; reading goes on"));
}

TEST_F(LineDeskTest, KnowsADeviceByItsOtherNames) {
  test::Folder folder;
  ASSERT_EQ(::symlink("/dev/null", (folder / "head").c_str()), 0);
  EXPECT_EQ((*desk_.lend(lend(folder / "head"), a_, now_))["meters"].dump(), "[0]");
  EXPECT_EQ((*desk_.lend(lend("ser2net:3001"), b_, now_))["meters"].dump(), "[2]");
}

TEST_F(LineDeskTest, WhatNobodyReadsNeedsNoLending) {
  EXPECT_EQ(desk_.lend(lend("/dev/zero"), a_, now_)->dump(), R"({"ok":true,"meters":[]})");
  EXPECT_FALSE(desk_.borrows(1));
}

TEST_F(LineDeskTest, WaitsUntilTheLineIsClosed) {
  usb_.be_slow();
  EXPECT_FALSE(desk_.lend(lend("/dev/null"), a_, now_));
  EXPECT_FALSE(desk_.lent(1, now_ + seconds{1}));
  usb_.close_now();
  const auto answer = desk_.lent(1, now_ + seconds{2});
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["ok"], true);
  EXPECT_EQ(desk_.next_deadline(), now_ + seconds{62}) << "the time begins when the line is closed";
  EXPECT_FALSE(desk_.lent(1, now_ + seconds{3})) << "one answer only";
}

TEST_F(LineDeskTest, ALineThatStaysOpenIsNotLent) {
  usb_.be_slow();
  EXPECT_FALSE(desk_.lend(lend("/dev/null"), a_, now_));
  const auto answer = desk_.lent(1, now_ + LineDesk::kPatience);
  ASSERT_TRUE(answer);
  EXPECT_THAT(error(*answer), HasSubstr("mtr0 does not let go"));
  EXPECT_EQ(usb_.held(), Hold::none);
  EXPECT_FALSE(desk_.borrows(1));
}

TEST_F(LineDeskTest, OneBorrowerAtATime) {
  ASSERT_TRUE(desk_.lend(lend("/dev/null"), a_, now_));
  EXPECT_THAT(error(*desk_.lend(lend("/dev/null"), b_, now_)), HasSubstr("lent to process 100 already"));
  EXPECT_THAT(error(*desk_.lend(lend("ser2net:3001"), a_, now_)), HasSubstr("borrowed already"));
}

TEST_F(LineDeskTest, WhoAsksAgainKeepsTheLine) {
  ASSERT_TRUE(desk_.lend(lend("/dev/null", seconds{60}), a_, now_));
  now_ += seconds{59};
  const auto again = desk_.lend(lend("/dev/null", seconds{60}), a_, now_);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->dump(), R"({"ok":true,"meters":[0],"seconds":60})");
  now_ += seconds{59};
  EXPECT_TRUE(desk_.expire(now_).empty());
  EXPECT_EQ(usb_.held(), Hold::lent);
  now_ += seconds{1};
  EXPECT_EQ(desk_.expire(now_).size(), 1U);
  EXPECT_EQ(usb_.held(), Hold::none);
  EXPECT_THAT(log_.all(), HasSubstr("because the time is over, after 119 s"));
}

TEST_F(LineDeskTest, ABorrowerThatEndsKeepsNothing) {
  ASSERT_TRUE(desk_.lend(lend("/dev/null"), a_, now_));
  desk_.gone(2, now_);
  EXPECT_EQ(usb_.held(), Hold::lent);
  desk_.gone(1, now_);
  EXPECT_EQ(usb_.held(), Hold::none);
  EXPECT_THAT(log_.all(), HasSubstr("because the borrower has ended"));
}

TEST_F(LineDeskTest, NobodyKeepsALineForEver) {
  ASSERT_TRUE(desk_.lend(lend("/dev/null"), a_, now_));
  EXPECT_TRUE(desk_.expire(now_ + seconds{59}).empty());
  EXPECT_EQ(desk_.expire(now_ + seconds{60}), std::vector<std::uint64_t>{1});
  EXPECT_EQ(usb_.held(), Hold::none);
}

TEST_F(LineDeskTest, PausesAndResumes) {
  EXPECT_EQ(desk_.pause(0, a_).dump(), R"({"ok":true,"changed":true})");
  EXPECT_EQ(usb_.held(), Hold::paused);
  EXPECT_EQ(desk_.pause(0, a_)["changed"], false);
  EXPECT_EQ(desk_.resume(0, b_)["changed"], true);
  EXPECT_EQ(usb_.held(), Hold::none);
  EXPECT_EQ(desk_.resume(0, b_)["changed"], false);
  EXPECT_THAT(error(desk_.pause(1, a_)), HasSubstr("no enabled meter mtr1"));
  EXPECT_EQ(log_.lines().size(), 2U);
}

TEST_F(LineDeskTest, APausedMeterIsPausedAfterTheLoanToo) {
  desk_.pause(0, a_);
  ASSERT_TRUE(desk_.lend(lend("/dev/null"), a_, now_));
  EXPECT_EQ(usb_.held(), Hold::lent);
  desk_.back(1, now_);
  EXPECT_EQ(usb_.held(), Hold::paused);
  ASSERT_TRUE(desk_.lend(lend("/dev/null"), a_, now_));
  desk_.resume(0, b_);
  EXPECT_EQ(usb_.held(), Hold::lent) << "the borrower still has it";
  desk_.back(1, now_);
  EXPECT_EQ(usb_.held(), Hold::none);
}

}  // namespace
}  // namespace vz::local
