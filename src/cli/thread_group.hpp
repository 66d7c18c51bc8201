// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "vz/time.hpp"

namespace vz::cli {

/// The daemon's threads: started together, asked to stop together, waited for only so long. Used by the main thread.
class ThreadGroup {
 public:
  using Body = std::function<void(std::stop_token)>;

  void start(Body body) {
    {
      const std::scoped_lock lock(mutex_);
      ++running_;
    }
    threads_.emplace_back([this, body = std::move(body)](std::stop_token stop) {
      body(std::move(stop));
      const std::scoped_lock lock(mutex_);
      --running_;
      ended_.notify_all();
    });
  }

  /// Asks all threads to stop and waits until they have, or until `patience` is over. True if all have: they are then
  /// joined. If not, the process has to end without returning from here to a destructor.
  bool stop(MonoDuration patience) {
    for (auto& thread : threads_) thread.request_stop();
    {
      std::unique_lock lock(mutex_);
      if (!ended_.wait_for(lock, patience, [this] { return running_ == 0; })) return false;
    }
    threads_.clear();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t running_ = 0;  ///< guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace vz::cli
