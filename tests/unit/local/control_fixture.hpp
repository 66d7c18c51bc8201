// SPDX-License-Identifier: GPL-3.0-or-later
// Lines and an outbox for tests of the control socket.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "outbox/durable_outbox.hpp"
#include "platform/clock.hpp"
#include "vz/held_line.hpp"
#include "vz/log.hpp"

namespace vz::local::test {

/// A line that closes at once, or when the test says so.
class FakeLine final : public HeldLine {
 public:
  FakeLine(int number, Endpoint endpoint) : number_(number), endpoint_(std::move(endpoint)) {}
  int number() const override { return number_; }
  const Endpoint& endpoint() const override { return endpoint_; }
  void hold(Hold hold) override {
    {
      const std::scoped_lock lock(mutex_);
      hold_ = hold;
      released_ = hold != Hold::none && (prompt_ || released_);
    }
    if (released() && callback_) callback_();
  }
  bool released() const override {
    const std::scoped_lock lock(mutex_);
    return released_;
  }
  void on_released(std::function<void()> callback) override { callback_ = std::move(callback); }

  Hold held() const {
    const std::scoped_lock lock(mutex_);
    return hold_;
  }
  void be_slow() { prompt_ = false; }
  void close_now() {
    {
      const std::scoped_lock lock(mutex_);
      released_ = true;
    }
    callback_();
  }

 private:
  int number_;
  Endpoint endpoint_;
  bool prompt_ = true;
  std::function<void()> callback_;
  mutable std::mutex mutex_;
  Hold hold_ = Hold::none;
  bool released_ = false;
};

class KeptLog final : public Log {
 public:
  bool enabled(Level level) const override { return level <= Level::info; }
  void write(Level, std::string_view section, std::string_view text) override {
    const std::scoped_lock lock(mutex_);
    lines_.push_back(fmt::format("[{}] {}", section, text));
  }
  std::vector<std::string> lines() const {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  std::string all() const {
    std::string text;
    for (const auto& line : lines()) text += line + '\n';
    return text;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class Folder {
 public:
  Folder() {
    path_ = (std::filesystem::temp_directory_path() / "vz-control-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

 private:
  std::string path_;
};

}  // namespace vz::local::test
