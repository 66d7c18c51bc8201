// SPDX-License-Identifier: GPL-3.0-or-later
#include "protocols/d0/pause_learner.hpp"

#include <algorithm>

namespace vz::d0 {

void PauseLearner::answered(Duration elapsed) {
  surprises_ = 0;
  if (elapsed > kLongest) {
    // Nothing to learn; and if no pause is known to work, what failed was the outage that has just ended.
    if (!worked_known_) {
      failed_ = Duration{-1};
      decide();
    }
    return;
  }
  if (!worked_known_ || elapsed < worked_) {
    worked_ = elapsed;
    worked_known_ = true;
  }
  if (failed_ >= worked_) failed_ = worked_ - Duration{1};
  decide();
}

bool PauseLearner::ignored(Duration elapsed) {
  if (elapsed >= kLongest) return false;
  if (worked_known_ && elapsed >= worked_) {
    // It has answered after this pause before. Once is bad luck; twice in a row it wants more than it did.
    if (++surprises_ < 2) return false;
    worked_known_ = false;
    worked_ = kLongest;
    surprises_ = 0;
  }
  failed_ = std::max(failed_, elapsed);
  decide();
  return true;
}

void PauseLearner::decide() {
  if (failed_ < Duration{0}) {
    pause_ = Duration{0};
  } else if (!worked_known_) {
    pause_ = std::min(kLongest, failed_ + failed_ / 2 + Duration{500});
  } else if (worked_ - failed_ > kCloseEnough) {
    pause_ = failed_ + (worked_ - failed_) / 2;
  } else {
    pause_ = worked_ + worked_ / 100;  // some room for the jitter of both clocks
  }
}

}  // namespace vz::d0
